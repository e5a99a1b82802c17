"""Addresses that carry their own permission: an `<img>` sends no token, nor does an upload to a given address."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from shared.settings import Settings

_PURPOSE = b"attachment urls"
"""The key is derived for this purpose alone: a signature is never a token's."""


@dataclass(frozen=True, slots=True)
class SignedUrls:
    """Makes and checks them. `lifetime` is in seconds."""

    base_url: str
    key: bytes
    lifetime: float

    @classmethod
    def of(cls, settings: Settings) -> "SignedUrls | None":
        """From the settings; None where there is no secret to sign with."""
        if settings.better_auth_secret is None:
            return None
        secret = settings.better_auth_secret.get_secret_value().encode()
        key = hmac.digest(secret, _PURPOSE, "sha256")
        return cls(settings.public_url.rstrip("/"), key, settings.attachment_url_seconds)

    def make(self, method: str, attachment_id: str) -> str:
        """An absolute address, good for this method and attachment until it expires."""
        expires = int(time.time() + self.lifetime)
        query = urlencode({"expires": expires, "signature": self._signature(method, attachment_id, expires)})
        return f"{self.base_url}/attachments/{attachment_id}?{query}"

    def allows(self, method: str, attachment_id: str, *, expires: int, signature: str) -> bool:
        """Whether such an address was made here, and is still good."""
        expected = self._signature(method, attachment_id, expires)
        return time.time() < expires and hmac.compare_digest(expected.encode(), signature.encode())

    def renewed(self, attachment_id: str, url: str) -> str:
        """A preview's address as it is shown now: ours made anew, any other as it is."""
        ours = urlsplit(url).path.endswith(f"/attachments/{attachment_id}") and "signature=" in url
        return self.make("GET", attachment_id) if ours else url

    def _signature(self, method: str, attachment_id: str, expires: int) -> str:
        message = f"{method}\n{attachment_id}\n{expires}".encode()
        digest = hmac.digest(self.key, message, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
