import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { ZodError } from 'zod'
import { clientJson } from '../api/admin/client-schemas.ts'
import { type SettingField, settingEntries } from '../clients/client-settings.ts'
import type { NewClient } from '../clients/new-client.ts'
import type { Setting } from '../clients/setting-kinds.ts'
import { OperatorError } from '../errors.ts'
import { withServices } from '../server/open-runtime.ts'
import { several, wholeNumber } from './arguments.ts'
import { answers, example } from './output.ts'

export function createClient(clients: Command): void {
  const command = clients
    .command('create')
    .description('register a client; its secret is printed once and stored nowhere')
    .argument('<id>', 'client_id: letters, digits and . _ ~ -')
  for (const [, setting] of settingEntries) command.addOption(optionOf(setting))
  command.addHelpText(
    'after',
    '\nSeparate the items of a list by commas or spaces ("read write"), or repeat the option.',
  )
  example(
    command,
    'signet clients create billing --grant client_credentials --scope invoices:read \\',
    '  --audience https://invoices.example',
    'signet clients create app --auth none --first-party --grant password,refresh_token \\',
    "  --scope 'read offline_access' --audience https://api.example",
  )
  answers<Record<string, unknown>>(command, (given, id = '') => create(given, id))
}

/** The option of a setting: required, or with the default that the rule of the setting has. */
function optionOf({ about, option: { flags, kind, choices }, rule }: Setting): Option {
  const option = new Option(flags, about)
  if (choices) option.choices(choices)
  if (kind === 'list') option.argParser(several)
  if (kind === 'seconds') option.argParser(wholeNumber)
  const { success, data } = rule.safeParse(undefined)
  if (!success) option.makeOptionMandatory()
  else if (kind === 'choice') option.default(data)
  return option
}

async function create(given: Readonly<Record<string, unknown>>, id: string) {
  const requested = await requestedClient(given, id)
  return withServices(async (services) => {
    const { client, secret } = await services.clients.create(requested).catch((error) => {
      throw error instanceof ZodError ? new OperatorError(sentences(error)) : error
    })
    const lines = [`client_id      ${client.id}`, ...(secret ? [`client_secret  ${secret}`] : [])]
    return { json: { ...clientJson(client), client_secret: secret }, text: lines.join('\n') }
  })
}

async function requestedClient(
  given: Readonly<Record<string, unknown>>,
  id: string,
): Promise<NewClient> {
  const settings: [SettingField, unknown][] = []
  for (const [field, setting] of settingEntries) {
    const value = given[optionOf(setting).attributeName()]
    if (value === undefined) continue
    settings.push([field, setting.option.kind === 'file' ? await readJson(String(value)) : value])
  }
  return { ...Object.fromEntries(settings), id } as NewClient
}

/** Every error with the option that caused it. */
function sentences({ issues }: ZodError): string {
  const nameOf = (field: unknown) => {
    const setting = settingEntries.find(([name]) => name === field)?.[1]
    return setting ? optionOf(setting).long : 'the client_id'
  }
  return issues.map(({ path: [field], message }) => `${nameOf(field)}: ${message}`).join('\n')
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new OperatorError(`${file} cannot be read as JSON: ${(cause as Error).message}`, {
      cause,
    })
  }
}
