import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text as readAll } from 'node:stream/consumers'
import { type Command, Option } from 'commander'
import type { Services } from '../app/services.ts'
import { OperatorError } from '../errors.ts'
import { generatePassword } from '../passwords/passwords.ts'
import { withServices } from '../server/open-runtime.ts'
import { managedPersonOf, type User, UserError } from '../users/user.ts'
import { several, wholeNumber } from './arguments.ts'
import { answers, example, moment, table } from './output.ts'
import { exportCommand } from './people-transfer/users-export.ts'
import { importCommand } from './people-transfer/users-import.ts'

interface PasswordOptions {
  passwordStdin?: boolean
  generate?: boolean
}

export function usersCommand(program: Command): void {
  const users = program.command('users').description('manage people')
  create(users)
  setPassword(users)
  disable(users)
  remove(users)
  list(users)
  importCommand(users)
  exportCommand(users)
}

/** A password is never an argument, because other users of the machine can read those. */
const withPasswordOptions = (command: Command): Command =>
  command
    .option('--password-stdin', 'read the password from standard input')
    .option('--generate', 'generate a password and print it once')

function create(users: Command): void {
  const command = users
    .command('create')
    .description('create a person; prompts for the password on the terminal')
    .argument('<username>')
    .option('--role <roles>', 'roles, such as admin; separate several with commas', several)
  example(
    command,
    'signet users create ada --role admin',
    'signet users create grace --password-stdin < password.txt',
  )
  answers<PasswordOptions & { role?: string[] }>(
    withPasswordOptions(command),
    async (options, username = '') => {
      const password = await choosePassword(options)
      return withServices(async (services) => {
        const user = await services.users.create({
          // An operator vouches for the address.
          ...(username.includes('@') ? { email: username, emailVerified: true } : { username }),
          password,
          roles: options.role ?? [],
        })
        const generated = options.generate ? { password } : {}
        const text = withPassword(`Created ${username}: ${user.id}`, generated)
        return { json: { ...managedPersonOf(user), ...generated }, text }
      })
    },
  )
}

function setPassword(users: Command): void {
  const command = users
    .command('set-password')
    .description('set a new password; this ends all sessions of the person')
    .argument('<username>')
  example(command, 'signet users set-password ada --generate')
  answers<PasswordOptions>(withPasswordOptions(command), async (options, username = '') => {
    const password = await choosePassword(options)
    return withServices(async (services) => {
      const user = await named(services, username)
      const { sessions } = await services.credentials.set(user, password)
      const generated = options.generate ? { password } : {}
      const text = withPassword(
        `Set a new password for ${username}. Sessions ended: ${sessions}.`,
        generated,
      )
      return { json: { username, sessions, ...generated }, text }
    })
  })
}

function disable(users: Command): void {
  const command = users
    .command('disable')
    .description('end all sessions of a person and refuse further sign-ins')
    .argument('<username>')
  example(command, 'signet users disable ada')
  answers(command, (_options, username = '') =>
    withServices(async (services) => {
      const user = await named(services, username)
      const { sessions } = await services.administration.disable(user.id)
      const text = `Disabled ${username}. Sessions ended: ${sessions}.`
      return { json: { username, sessions }, text }
    }),
  )
}

function remove(users: Command): void {
  const command = users
    .command('delete')
    .description('delete a person permanently; only an anonymous audit trail remains')
    .argument('<username>')
    .option('--yes', 'confirm')
  example(command, 'signet users delete ada --yes')
  answers<{ yes?: boolean }>(command, ({ yes }, username = '') =>
    withServices(async (services) => {
      const { id } = await named(services, username)
      if (!yes)
        throw new OperatorError(`Deleting ${username} cannot be undone. To confirm, add --yes.`)
      const { sessions } = await services.administration.delete(id)
      const text = `Deleted ${username}. Sessions ended: ${sessions}. The server anonymizes the audit trail of ${id} in the background.`
      return { json: { id, sessions }, text }
    }),
  )
}

interface ListOptions {
  role?: string
  state?: 'active' | 'disabled' | 'unverified'
  text?: string
  limit: number
  after?: string
}

function list(users: Command): void {
  const command = users
    .command('list')
    .description('list people, newest first')
    .option('--role <role>', 'only people with this role')
    .addOption(
      new Option('--state <state>', 'only people in this state').choices([
        'active',
        'disabled',
        'unverified',
      ]),
    )
    .option('--text <text>', 'only people whose username or address starts with this')
    .option('--limit <n>', 'maximum number', wholeNumber, 100)
    .option('--after <id>', 'continue after this person, the last one of the previous list')
  example(command, 'signet users list --text ada', 'signet users list --role admin --json')
  answers<ListOptions>(command, ({ limit, after, role, state, text }) =>
    withServices(async (services) => {
      const found = await services.users.page({ role, state, text }, limit, after)
      const rows = found.map((user) => [
        user.id,
        user.username ?? user.email ?? '-',
        user.roles.join(' ') || '-',
        moment(user.createdAt),
        user.disabledAt ? `disabled ${moment(user.disabledAt)}` : 'active',
      ])
      const shown = table(['id', 'username', 'roles', 'created', 'state'], rows)
      const last = found.length === limit ? found.at(-1)?.id : undefined
      const more = last === undefined ? '' : `\nThere may be more: --after ${last}`
      return { json: found.map(managedPersonOf), text: shown + more }
    }),
  )
}

/** @throws UserError when no person has this username, address or id */
async function named({ users }: Services, identifier: string): Promise<User> {
  const user = await users.findAny(identifier)
  if (user) return user
  throw new UserError('unknown', `There is no person ${identifier}. See: signet users list`)
}

async function choosePassword({ generate, passwordStdin }: PasswordOptions): Promise<string> {
  if (generate) return generatePassword()
  if (passwordStdin) return (await readAll(process.stdin)).replace(/\r?\n$/, '')
  if (process.stdin.isTTY) return askNewSecret('Password: ')
  throw new OperatorError(
    'There is no terminal to prompt for a password. Use --password-stdin or --generate.',
  )
}

const withPassword = (line: string, { password }: { password?: string }): string =>
  password === undefined ? line : `${line}\npassword  ${password}`

/** Prompts twice on the terminal, without an echo. */
async function askNewSecret(question: string): Promise<string> {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output, terminal: true })
  const lines = terminal[Symbol.asyncIterator]()
  try {
    const first = await answer(lines, question)
    if ((await answer(lines, 'Repeat: ')) === first) return first
  } finally {
    terminal.close()
  }
  throw new OperatorError('The passwords do not match. Nothing was changed.')
}

async function answer(lines: AsyncIterator<string>, question: string): Promise<string> {
  process.stderr.write(question)
  const { value, done } = await lines.next()
  process.stderr.write('\n')
  // Ctrl-C and Ctrl-D end the input.
  if (done) throw new OperatorError('No password was entered. Nothing was changed.')
  return value
}
