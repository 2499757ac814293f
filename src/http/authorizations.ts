import type { IncomingMessage } from 'node:http'

/** Every Authorization header: of two Node would drop one, and a proxy on the way perhaps the other. */
export function authorizations({ rawHeaders }: IncomingMessage): string[] {
  const isAuthorization = (name: string) =>
    name.length === 13 && name.toLowerCase() === 'authorization'
  return rawHeaders.filter(
    (value, at) => at % 2 === 1 && value !== '' && isAuthorization(rawHeaders[at - 1] ?? ''),
  )
}
