import { accountClientId } from '../api/account/api-clients.ts'
import type { Services } from '../app/services.ts'
import { ClientError } from '../clients/client.ts'
import { generatePassword } from '../passwords/passwords.ts'
import { UserError } from '../users/user.ts'

/** What was made for somebody who tries Signet out, each secret shown this once. */
export interface FirstRun {
  readonly username?: string
  readonly password?: string
  readonly clientId?: string
  readonly clientSecret?: string | undefined
}

/** On an empty database outside production: an administrator and a first-party client. */
export async function firstRun(services: Services, issuer: string): Promise<FirstRun> {
  return { ...(await firstClient(services, issuer)), ...(await firstUser(services)) }
}

async function firstClient({ clients }: Services, issuer: string): Promise<FirstRun> {
  const others = (await clients.list()).filter(({ id }) => id !== accountClientId)
  if (others.length > 0) return {}
  try {
    const { client, secret } = await clients.create({
      id: 'demo',
      name: 'Demo',
      firstParty: true,
      grantTypes: ['password', 'refresh_token', 'client_credentials'],
      scopes: ['read', 'write', 'offline_access'],
      audiences: [issuer],
    })
    return { clientId: client.id, clientSecret: secret }
  } catch (error) {
    // Another instance that starts at the same moment was faster: it prints the secret.
    if (error instanceof ClientError) return {}
    throw error
  }
}

async function firstUser({ users }: Services): Promise<FirstRun> {
  if ((await users.count({})) > 0) return {}
  const password = generatePassword()
  try {
    const username = 'admin'
    await users.create({ username, password, roles: ['admin'] })
    return { username, password }
  } catch (error) {
    if (error instanceof UserError) return {}
    throw error
  }
}

/** Lines with the secrets and a curl command that works when pasted. */
export function firstRunLines(made: FirstRun, url: string): string[] {
  if (!made.password && !made.clientSecret) return []
  const lines = ['', '  Made for you, shown this once:']
  if (made.password) lines.push(`    administrator  ${made.username}  ${made.password}`)
  if (made.clientSecret) lines.push(`    client         ${made.clientId}  ${made.clientSecret}`)
  lines.push('    Lost? npx signet users set-password admin --generate')
  if (made.password && made.clientSecret) {
    lines.push(
      '',
      '  Get tokens:',
      `    curl -u ${made.clientId}:${made.clientSecret} ${url}/oauth/token \\`,
      `      -d grant_type=password -d username=${made.username} -d password=${made.password} \\`,
      `      -d scope='read offline_access'`,
    )
  }
  return [...lines, '']
}
