import type { Command } from 'commander'
import { clientJson } from '../api/admin/client-schemas.ts'
import type { ListedClient } from '../clients/clients.ts'
import { withServices } from '../server/open-runtime.ts'
import { hours } from './arguments.ts'
import { createClient } from './clients-create.ts'
import { answers, example, moment, table } from './output.ts'

export function clientsCommand(program: Command): void {
  const clients = program.command('clients').description('manage OAuth clients')
  createClient(clients)
  list(clients)
  rotateSecret(clients)
  disable(clients)
}

function list(clients: Command): void {
  const command = clients.command('list').description('list all clients')
  example(command, 'signet clients list')
  answers(command, () =>
    withServices(async (services) => {
      const found = await services.clients.list()
      const rows = found.map((client) => [
        client.id,
        client.authenticationMethod,
        client.grantTypes.join(' '),
        client.scopes.join(' '),
        client.audiences.join(' '),
        state(client),
      ])
      const headings = ['id', 'auth', 'grants', 'scopes', 'audiences', 'state']
      return { json: found.map(clientJson), text: table(headings, rows) }
    }),
  )
}

function state({ disabledAt, endingSessions, firstParty }: ListedClient): string {
  if (!disabledAt) return firstParty ? 'first-party' : 'active'
  return `disabled ${moment(disabledAt)}${endingSessions ? ', ending sessions' : ''}`
}

function rotateSecret(clients: Command): void {
  const command = clients
    .command('rotate-secret')
    .description('create a new secret; the previous one keeps working for a while')
    .argument('<id>', 'client_id')
    .option(
      '--overlap-hours <n>',
      'how long the previous secret keeps working; 0: not at all',
      hours,
      24,
    )
  example(command, 'signet clients rotate-secret billing --overlap-hours 1')
  answers<{ overlapHours: number }>(command, ({ overlapHours }, id = '') =>
    withServices(async (services) => {
      const overlapSeconds = Math.round(overlapHours * 3600)
      const secret = await services.clients.rotateSecret(id, overlapSeconds)
      const text = `client_secret  ${secret}\nThe previous secret keeps working for ${overlapHours} h.`
      return { json: { clientId: id, clientSecret: secret, overlapSeconds }, text }
    }),
  )
}

function disable(clients: Command): void {
  const command = clients
    .command('disable')
    .description('disable a client, and end its sessions and tokens')
    .argument('<id>', 'client_id')
  example(command, 'signet clients disable billing')
  answers(command, (_options, id = '') =>
    withServices(async (services) => {
      const { sessions, more } = await services.clients.disable(id)
      const rest = more
        ? '\nAll of its sessions are unusable. The server deletes the rest of them in the background; ' +
          'signet clients list shows "ending sessions" until it is done.'
        : ''
      const text = `Disabled ${id}. Sessions ended: ${sessions}. Its access tokens are revoked.${rest}`
      return { json: { clientId: id, sessions, more }, text }
    }),
  )
}
