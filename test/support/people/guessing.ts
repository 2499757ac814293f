import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from '../../../tools/http-client.ts'

/**
 * Guesses wrong passwords until the next one has to wait for some seconds, so that what a test does
 * then happens within them.
 */
export async function guessUntilLocked(
  guess: (password: string) => Promise<Answer>,
  seconds = 8,
): Promise<Answer> {
  for (let guesses = 0; guesses < 300; guesses += 1) {
    const answer = await guess(`a guess, no. ${guesses}`)
    if (answer.status === 429 && Number(answer.headers.get('retry-after')) >= seconds) return answer
    if (answer.status === 429) await sleep(100)
  }
  throw new Error('all guesses were let in')
}
