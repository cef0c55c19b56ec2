import { days, mapped, optional, section, text } from '../../config/section.ts'

export const signingKeys = mapped(
  section({
    /** An EC P-256 private key in base64 to sign with from the start (PKCS #8 or SEC 1, DER or PEM). */
    ecPrivateKeyBase64: optional(text('a key in base64', undefined, { secret: true })),
    /** Days until a successor takes over. Default 90. */
    rotateEveryDays: days(90),
  }),
  ({ rotateEveryDays, ...settings }) => ({ ...settings, rotateEvery: rotateEveryDays }),
)
