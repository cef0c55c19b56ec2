-- served_from: 2
-- Clients that named no algorithm were told ES256 so far; they keep it, whatever the default is from now on.
update clients set registered_metadata = (
  '{"id_token_signed_response_alg":"ES256","authorization_signed_response_alg":"ES256","introspection_signed_response_alg":"ES256"}'::jsonb
  || registered_metadata::jsonb)::text
where source <> 'cimd';
