/** Why a mail was not taken, in words for the table and the log. */
export interface Failure {
  readonly reason: string
  /** It would be refused again. */
  readonly permanent: boolean
}

/** What nodemailer adds to its errors. */
interface SmtpError extends Error {
  readonly code?: string
  readonly command?: string
  readonly response?: string
  readonly responseCode?: number
  readonly permanent?: boolean
}

/**
 * A 5xx about the recipient or the message is final (RFC 5321 §4.2.1). One about us, such as a wrong
 * SMTP password or sender, is for the operator to put right, and no mail should be lost meanwhile.
 */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { reason: 'unknown', permanent: false }
  const { code = error.name, command = '', response, responseCode, message } = error as SmtpError
  if (!responseCode) {
    const permanent = code === 'EENVELOPE' && command === 'API'
    const why = error.cause instanceof Error ? `: ${error.cause.message}` : ''
    const what = message.startsWith(code) ? message : `${code}: ${message}`
    return { reason: clean(what + why), permanent }
  }
  const aboutTheMail = command === 'RCPT TO' || command === 'DATA'
  const permanent = aboutTheMail && (error as SmtpError).permanent === true
  return { reason: clean(`${command}: ${reply(command, response ?? '')}`), permanent }
}

/** After the message or a password was sent, the server's words may quote it: only codes are kept. */
function reply(command: string, response: string): string {
  if (!/^(DATA|AUTH)/.test(command)) return response
  return /^\d{3}([ -]\d\.\d{1,3}\.\d{1,3})?/.exec(response)?.[0] ?? ''
}

const clean = (text: string): string =>
  text
    .replace(/[^\s<>"]+@[^\s<>",;:]+/g, 'somebody@…')
    .replace(/sot_[\w-]*/g, 'sot_…')
    .replace(/[\s\p{C}]+/gu, ' ')
    .slice(0, 300)
