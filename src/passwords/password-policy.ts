import type { BreachedPasswords } from './breached-passwords.ts'

export const shortestPassword = 8
export const longestPassword = 128

export type PasswordFault = 'too_short' | 'too_long' | 'guessable' | 'breached'

/** Why a password is not taken: a stable code for programs, a sentence for people. */
export interface PasswordReason {
  readonly code: PasswordFault
  readonly sentence: string
}

/** A password that breaks a rule; the message says which. */
export class PasswordError extends Error {
  override readonly name = 'PasswordError'
  readonly reasons: readonly PasswordReason[]

  constructor(reasons: readonly PasswordReason[]) {
    super(reasons.map(({ sentence }) => sentence).join(' '))
    this.reasons = reasons
  }
}

export interface PasswordPolicy {
  /** ASVS 6.2.11: the words of contextWords. */
  readonly words?: readonly string[]
  /** Absent: nobody is asked. */
  readonly breached?: BreachedPasswords | undefined
}

/** ASVS 6.2.1, 6.2.9: counted in characters, as somebody would count who reads them. */
export function assessLength(password: string): PasswordReason | undefined {
  const { length } = [...password.normalize('NFKC')]
  if (length < shortestPassword) {
    const sentence = `A password has at least ${shortestPassword} characters.`
    return { code: 'too_short', sentence }
  }
  if (length > longestPassword) {
    const sentence = `A password has at most ${longestPassword} characters.`
    return { code: 'too_long', sentence }
  }
  return undefined
}

/**
 * ASVS 6.2: length, and that nobody can guess it; any character counts and none is demanded. A
 * breached password is looked for last, so that only one which would be taken leaves its trace outside.
 * @param personal the person's own names and addresses
 * @param whyGuessable takes a core for up to 60 ms, so it is asked after the length
 * @returns every reason against it; none: it may be taken
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
  const sentence = 'This password is in a published list of stolen ones: choose another one.'
  return [{ code: 'breached', sentence }]
}
