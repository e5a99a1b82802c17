-- For autoscaling.yaml: a role that may count everybody's runs, and see nothing else of them.
CREATE ROLE chatkit_autoscaling LOGIN BYPASSRLS;
GRANT SELECT (status) ON runs TO chatkit_autoscaling;
