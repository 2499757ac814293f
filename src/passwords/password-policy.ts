import { OperatorError } from '../errors.ts'
import type { BreachedPasswords } from './breached-passwords.ts'

const shortestPassword = 8
export const longestPassword = 128

type PasswordFault = 'too_short' | 'too_long' | 'guessable' | 'breached'

/** A reason against a password: a stable code for programs, a sentence for people. */
export interface PasswordReason {
  readonly code: PasswordFault
  readonly sentence: string
}

/** The policy refuses a password; the message says why. */
export class PasswordError extends OperatorError {
  override readonly name = 'PasswordError'
  readonly reasons: readonly PasswordReason[]

  constructor(reasons: readonly PasswordReason[]) {
    super(reasons.map(({ sentence }) => sentence).join(' '))
    this.reasons = reasons
  }
}

export interface PasswordPolicy {
  /** Words that a password must not consist of, ASVS 6.2.11: see contextWords. */
  readonly words?: readonly string[]
  /** Absent: passwords are not looked up. */
  readonly breached?: BreachedPasswords | undefined
}

/** ASVS 6.2.1, 6.2.9: the length in characters, as a reader would count them. */
export function assessLength(password: string): PasswordReason | undefined {
  const { length } = [...password.normalize('NFKC')]
  if (length < shortestPassword) {
    const sentence = `The password must be at least ${shortestPassword} characters long.`
    return { code: 'too_short', sentence }
  }
  if (length > longestPassword) {
    const sentence = `The password must be at most ${longestPassword} characters long.`
    return { code: 'too_long', sentence }
  }
  return undefined
}

/**
 * ASVS 6.2: checks the length and the strength; any character is allowed and none is required. The list
 * of breached passwords comes last, so that only an otherwise acceptable password is looked up outside.
 * @param personal the person's own names and addresses
 * @param whyGuessable keeps a core busy for up to 60 ms, so it runs after the length check
 * @returns every reason against the password; empty when it is acceptable
 */
export async function assessPassword(
  password: string,
  personal: readonly string[],
  { words = ['signet'], breached }: PasswordPolicy,
  whyGuessable: (password: string, personal: readonly string[]) => Promise<string | undefined>,
): Promise<PasswordReason[]> {
  const normal = password.normalize('NFKC')
  const wrongLength = assessLength(password)
  if (wrongLength) return [wrongLength]
  const why = await whyGuessable(normal, [...personal, ...words])
  if (why !== undefined) return [{ code: 'guessable', sentence: why }]
  if (!(await breached?.includes(normal))) return []
  const sentence = 'This password appears in a list of stolen passwords. Choose another one.'
  return [{ code: 'breached', sentence }]
}
