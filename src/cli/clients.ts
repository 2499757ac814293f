import type { Command } from 'commander'
import type { Client } from '../clients/client.ts'
import { hours } from './arguments.ts'
import { createClient } from './clients-create.ts'
import { answers, example, moment, table } from './output.ts'
import { withRooms } from './world.ts'

export function clientsCommand(program: Command): void {
  const clients = program.command('clients').description('OAuth clients')
  createClient(clients)
  list(clients)
  rotateSecret(clients)
  disable(clients)
}

function list(clients: Command): void {
  const command = clients.command('list').description('all clients')
  example(command, 'signet clients list')
  answers(command, () =>
    withRooms(async (rooms) => {
      const found = await rooms.clients.list()
      const rows = found.map((client) => [
        client.id,
        client.authenticationMethod,
        client.grantTypes.join(' '),
        client.scopes.join(' '),
        client.audiences.join(' '),
        state(client),
      ])
      const headings = ['id', 'auth', 'grants', 'scopes', 'audiences', 'state']
      return { json: found, text: table(headings, rows) }
    }),
  )
}

const state = ({ disabledAt, firstParty }: Client): string =>
  disabledAt ? `disabled ${moment(disabledAt)}` : firstParty ? 'first-party' : 'active'

function rotateSecret(clients: Command): void {
  const command = clients
    .command('rotate-secret')
    .description(
      'add a secret; the one before goes on for a while, so that the app can be moved over',
    )
    .argument('<id>', 'client_id')
    .option('--overlap-hours <n>', 'how long the secret before goes on; 0: not at all', hours, 24)
  example(command, 'signet clients rotate-secret billing --overlap-hours 1')
  answers<{ overlapHours: number }>(command, ({ overlapHours }, id = '') =>
    withRooms(async (rooms) => {
      const overlapSeconds = Math.round(overlapHours * 3600)
      const secret = await rooms.clients.rotateSecret(id, overlapSeconds)
      const text = `client_secret  ${secret}\nThe secret before goes on for ${overlapHours} h.`
      return { json: { id, secret, overlapSeconds }, text }
    }),
  )
}

function disable(clients: Command): void {
  const command = clients
    .command('disable')
    .description('end everything that a client has, at once')
    .argument('<id>', 'client_id')
  example(command, 'signet clients disable billing')
  answers(command, (_options, id = '') =>
    withRooms(async (rooms) => {
      const { sessions } = await rooms.clients.disable(id)
      const text = `${id} is disabled; ${sessions} session(s) ended, its access tokens are revoked.`
      return { json: { id, sessions }, text }
    }),
  )
}
