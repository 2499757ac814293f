import { z } from 'zod'
import { ClientError } from '../../clients/client-error.ts'
import { invalidField, Problem } from '../problem.ts'

/** The rules of clients name their own fields; here they have the names of RFC 7591. */
export async function asClientProblems<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof z.ZodError) {
      throw new Problem('invalid-fields', {
        errors: error.issues.map(({ path, message }) => ({
          pointer: `/${path.map((part) => wireName(String(part))).join('/')}`,
          detail: message,
        })),
      })
    }
    if (!(error instanceof ClientError)) throw error
    if (error.reason === 'unknown') throw new Problem('not-found')
    if (error.reason === 'too_long') throw invalidField('/access_token_seconds', error.message)
    throw new Problem('conflict', { detail: error.message })
  }
}

const wireName = (name: string): string => {
  if (name === 'id') return 'client_id'
  if (name === 'authenticationMethod') return 'token_endpoint_auth_method'
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
