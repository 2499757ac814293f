import { accountClientId } from '../api/account/api-clients.ts'
import type { Services } from '../app/services.ts'
import { ClientError } from '../clients/client.ts'
import { generatePassword } from '../passwords/passwords.ts'
import { UserError } from '../users/user.ts'

/** Credentials that the first start created; each secret is shown only once. */
interface FirstRun {
  readonly username?: string
  readonly password?: string
  readonly clientId?: string
  readonly clientSecret?: string | undefined
}

/** Creates an administrator and a first-party client in an empty database, outside production. */
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
    // Another instance that starts at the same time was faster and prints the secret.
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

/** Formats the credentials, with a curl command that uses them. */
export function firstRunLines(created: FirstRun, url: string): string[] {
  if (!created.password && !created.clientSecret) return []
  const lines = ['', '  Created for you and shown only once:']
  if (created.password) lines.push(`    administrator  ${created.username}  ${created.password}`)
  if (created.clientSecret)
    lines.push(`    client         ${created.clientId}  ${created.clientSecret}`)
  lines.push('    To reset the password: npx signet users set-password admin --generate')
  if (created.password) lines.push('', `  Sign in: open ${url}/ in a browser.`)
  if (created.password && created.clientSecret) {
    lines.push(
      '',
      '  Get tokens:',
      `    curl -u ${created.clientId}:${created.clientSecret} ${url}/oauth/token \\`,
      `      -d grant_type=password -d username=${created.username} -d password=${created.password} \\`,
      `      -d scope='read offline_access'`,
    )
  }
  return [...lines, '']
}
