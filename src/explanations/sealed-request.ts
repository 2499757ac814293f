import type { SealedPurpose } from '../authentication/sealed-values.ts'
import { type Explanation, failed, passed, upTo } from './explanation.ts'
import { clientCheck } from './parties.ts'
import type { Sources } from './sources.ts'

/** Five parts: a JWE, such as `request` in the URL of a page. */
export const looksSealed = (text: string): boolean => text.split('.').length === 5

const purposes: Readonly<Record<SealedPurpose, string>> = {
  request: 'a sign-in on its way through the pages',
  attempt: 'a form of the sign-in page',
  pending: 'a password that must be changed',
  waiting: 'a registration that waits for its mail',
  'api-key': 'a form for an API key',
}

/** Explains a value that the pages carry in URLs and forms; what is in it is not shown. */
export async function explainSealed(text: string, sources: Sources): Promise<Explanation> {
  const subject = 'sealed value'
  const opened = await Promise.all(
    (Object.keys(purposes) as SealedPurpose[]).map(async (purpose) => ({
      purpose,
      value: await sources.sealed.open<{ readonly clientId?: string }>(purpose, text),
    })),
  )
  const found = opened.find(({ value }) => value !== undefined)
  if (!found) {
    const seal = 'this installation did not seal it: it was changed, or is of another environment'
    return { subject, checks: upTo(['seal', 'client', 'request'], 'seal', { seal }), notes: [] }
  }
  const { purpose, value } = found
  const seal = passed('seal', purposes[purpose])
  if (purpose !== 'request' || value?.clientId === undefined) {
    return { subject, checks: [seal], notes: [] }
  }
  const isAccepted = (await sources.flow.open(text)) !== undefined
  const request = isAccepted
    ? passed('request', 'accepted')
    : failed(
        'request',
        'older than 30 days, or its client may not ask for it any more: begin at the app',
      )
  const client = await clientCheck(sources, value.clientId)
  return { subject, checks: [seal, client, request], notes: [] }
}
