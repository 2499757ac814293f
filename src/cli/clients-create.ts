import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { ZodError } from 'zod'
import { clientJson } from '../api/admin/client-schemas.ts'
import {
  type AuthenticationMethod,
  authenticationMethods,
  type GrantType,
  grantTypes,
  type RefreshTokenPolicy,
  refreshTokenPolicies,
} from '../clients/client.ts'
import type { NewClient } from '../clients/new-client.ts'
import { withServices } from '../server/open-runtime.ts'
import { several, wholeNumber } from './arguments.ts'
import { answers, example, StartError } from './output.ts'

interface CreateOptions {
  name?: string
  auth: AuthenticationMethod
  jwks?: string
  firstParty?: boolean
  grant: string[]
  scope?: string[]
  defaultScope?: string[]
  audience: string[]
  introspect?: string[]
  refreshTokens: RefreshTokenPolicy
  letsUnverifiedIn?: boolean
  accessTokenSeconds?: number
  sessionIdleSeconds?: number
  sessionAbsoluteSeconds?: number
}

/** The field of a client that each option fills, so that a mistake is told by the option's name. */
const options: Readonly<Record<string, string>> = {
  id: 'the client_id',
  name: '--name',
  jwks: '--jwks',
  grantTypes: '--grant',
  scopes: '--scope',
  defaultScopes: '--default-scope',
  audiences: '--audience',
  introspects: '--introspect',
  accessTokenSeconds: '--access-token-seconds',
  sessionIdleSeconds: '--session-idle-seconds',
  sessionAbsoluteSeconds: '--session-absolute-seconds',
}

export function createClient(clients: Command): void {
  const command = clients
    .command('create')
    .description('register a client; its secret is printed once and kept nowhere')
    .argument('<id>', 'client_id: letters, digits and . _ ~ -')
    .option('--name <name>', 'for people; the id when absent')
    .addOption(
      choice(
        '--auth <method>',
        'how it proves itself (none: a public client)',
        authenticationMethods,
        'client_secret_basic',
      ),
    )
    .option('--jwks <file>', 'JWKS with its public keys, for private_key_jwt')
    .option('--first-party', 'an app of your own: it may have the password grant')
    .requiredOption('--grant <types>', `what it may do: ${grantTypes.join(', ')}`, several)
    .option('--scope <scopes>', 'scopes it may have', several)
    .option(
      '--default-scope <scopes>',
      'scopes it gets when it asks for none; all but offline_access',
      several,
    )
    .requiredOption(
      '--audience <audiences>',
      'services it may have tokens for, the first by default; ISSUER is the JSON API of accounts',
      several,
    )
    .option(
      '--introspect <audiences>',
      'audiences whose tokens it may introspect, or * for all',
      several,
    )
    .addOption(
      choice(
        '--refresh-tokens <when>',
        'when a refresh token comes with an access token',
        refreshTokenPolicies,
        'offline_access',
      ),
    )
    .option(
      '--access-token-seconds <n>',
      'life of its access tokens; ACCESS_TOKEN_SECONDS when absent',
      wholeNumber,
    )
    .option(
      '--session-idle-seconds <n>',
      'idle life of its sessions; SESSION_IDLE_DAYS when absent',
      wholeNumber,
    )
    .option(
      '--session-absolute-seconds <n>',
      'life of its sessions; SESSION_ABSOLUTE_DAYS when absent',
      wholeNumber,
    )
    .option(
      '--lets-unverified-in',
      'people may sign in before their e-mail address is proven; shows which addresses are new',
    )
    .addHelpText(
      'after',
      '\nLists are parted by commas or spaces ("read write"), or the option is repeated.',
    )
  example(
    command,
    'signet clients create billing --grant client_credentials --scope invoices:read \\',
    '  --audience https://invoices.example',
    'signet clients create app --auth none --first-party --grant password,refresh_token \\',
    "  --scope 'read offline_access' --audience https://api.example",
  )
  answers<CreateOptions>(command, (given, id = '') => create(given, id))
}

async function create(given: CreateOptions, id: string) {
  const jwks = given.jwks ? await readJwks(given.jwks) : null
  return withServices(async (services) => {
    const created = services.clients.create(described({ ...given, id, jwks }))
    const { client, secret } = await created.catch((error) => {
      throw error instanceof ZodError ? new StartError(mistakes(error)) : error
    })
    const lines = [`client_id      ${client.id}`, ...(secret ? [`client_secret  ${secret}`] : [])]
    return { json: { ...clientJson(client), client_secret: secret }, text: lines.join('\n') }
  })
}

const described = ({
  id,
  jwks,
  ...given
}: Omit<CreateOptions, 'jwks'> & { id: string; jwks: NewClient['jwks'] }): NewClient => ({
  ...{ id, jwks, name: given.name ?? id, authenticationMethod: given.auth },
  firstParty: given.firstParty ?? false,
  grantTypes: given.grant as GrantType[],
  scopes: given.scope ?? [],
  defaultScopes: given.defaultScope,
  audiences: given.audience,
  introspects: given.introspect ?? [],
  refreshTokens: given.refreshTokens,
  letsUnverifiedIn: given.letsUnverifiedIn ?? false,
  accessTokenSeconds: given.accessTokenSeconds ?? null,
  sessionIdleSeconds: given.sessionIdleSeconds ?? null,
  sessionAbsoluteSeconds: given.sessionAbsoluteSeconds ?? null,
})

const mistakes = ({ issues }: ZodError): string =>
  issues
    .map(({ path: [field], message }) => `${options[String(field)] ?? String(field)}: ${message}`)
    .join('\n')

const choice = (flags: string, about: string, choices: readonly string[], byDefault: string) =>
  new Option(flags, about).choices(choices).default(byDefault)

async function readJwks(file: string): Promise<never> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as never
  } catch (cause) {
    throw new StartError(`${file} cannot be read as JSON: ${(cause as Error).message}`, { cause })
  }
}
