// RFC 6749 §3, RFC 8414 §2, RFC 8628 §3.1, RFC 9126 §2, RFC 9728 §3, OpenID Connect Discovery §4: where each endpoint is, below
// the issuer.

export const paths = {
  authorization: '/oauth/authorize',
  consent: '/oauth/consent',
  connectedApps: '/account/apps',
  token: '/oauth/token',
  pushedAuthorization: '/oauth/par',
  registration: '/oauth/register',
  clientConfiguration: '/oauth/register/client',
  deviceAuthorization: '/oauth/device_authorization',
  device: '/device',
  introspection: '/oauth/introspect',
  revocation: '/oauth/revoke',
  userinfo: '/oauth/userinfo',
  logout: '/oauth/logout',
  jwks: '/.well-known/jwks.json',
  serverMetadata: '/.well-known/oauth-authorization-server',
  openidConfiguration: '/.well-known/openid-configuration',
  resourceMetadata: '/.well-known/oauth-protected-resource',
} as const
