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
import { askNewSecret } from './prompt.ts'

interface PasswordOptions {
  passwordStdin?: boolean
  generate?: boolean
}

export function usersCommand(program: Command): void {
  const users = program.command('users').description('people')
  create(users)
  setPassword(users)
  disable(users)
  remove(users)
  list(users)
  importCommand(users)
  exportCommand(users)
}

/** A password is never an argument: other users of the machine could read it there. */
const takesPassword = (command: Command): Command =>
  command
    .option('--password-stdin', 'read the password from standard input')
    .option('--generate', 'make a password and print it once')

function create(users: Command): void {
  const command = users
    .command('create')
    .description('add a person; the password is asked for on the terminal')
    .argument('<username>')
    .option('--role <roles>', 'roles, such as admin; several parted by commas', several)
  example(
    command,
    'signet users create ada --role admin',
    'signet users create grace --password-stdin < password.txt',
  )
  answers<PasswordOptions & { role?: string[] }>(
    takesPassword(command),
    async (options, username = '') => {
      const password = await choosePassword(options)
      return withServices(async (services) => {
        const user = await services.users.create({
          // Whoever has the command line vouches for the address.
          ...(username.includes('@') ? { email: username, emailVerified: true } : { username }),
          password,
          roles: options.role ?? [],
        })
        const generated = options.generate ? { password } : {}
        const text = told(`${username} is created: ${user.id}`, generated)
        return { json: { ...managedPersonOf(user), ...generated }, text }
      })
    },
  )
}

function setPassword(users: Command): void {
  const command = users
    .command('set-password')
    .description('give a person a new password; it ends all their sessions')
    .argument('<username>')
  example(command, 'signet users set-password ada --generate')
  answers<PasswordOptions>(takesPassword(command), async (options, username = '') => {
    const password = await choosePassword(options)
    return withServices(async (services) => {
      const user = await named(services, username)
      const { sessions } = await services.credentials.set(user, password)
      const generated = options.generate ? { password } : {}
      const text = told(`${username} has a new password; ${sessions} session(s) ended.`, generated)
      return { json: { username, sessions, ...generated }, text }
    })
  })
}

function disable(users: Command): void {
  const command = users
    .command('disable')
    .description('end all sessions of a person at once and refuse every sign-in')
    .argument('<username>')
  example(command, 'signet users disable ada')
  answers(command, (_options, username = '') =>
    withServices(async (services) => {
      const user = await named(services, username)
      const { sessions } = await services.administration.disable(user.id)
      const text = `${username} is disabled; ${sessions} session(s) ended.`
      return { json: { username, sessions }, text }
    }),
  )
}

function remove(users: Command): void {
  const command = users
    .command('delete')
    .description('delete a person for good; only an anonymous trail stays')
    .argument('<username>')
    .option('--yes', 'there is no way back')
  example(command, 'signet users delete ada --yes')
  answers<{ yes?: boolean }>(command, ({ yes }, username = '') =>
    withServices(async (services) => {
      const { id } = await named(services, username)
      if (!yes) throw new OperatorError(`There is no way back: add --yes to delete ${username}.`)
      const { sessions } = await services.administration.delete(id)
      const text = `${username} is deleted; ${sessions} session(s) ended. The server erases the audit trail of ${id} in the background.`
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
    .description('people, newest first')
    .option('--role <role>', 'those with this role')
    .addOption(
      new Option('--state <state>', 'those in this state').choices([
        ...['active', 'disabled', 'unverified'],
      ]),
    )
    .option('--text <text>', 'those whose username or address begins so')
    .option('--limit <n>', 'at most so many', wholeNumber, 100)
    .option('--after <id>', 'go on after this person, the last of the list before')
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

/** @throws UserRefused when nobody has this username, address or id */
async function named({ users }: Services, identifier: string): Promise<User> {
  const user = await users.findAny(identifier)
  if (user) return user
  throw new UserError('unknown', `There is no user ${identifier}. See: signet users list`)
}

async function choosePassword({ generate, passwordStdin }: PasswordOptions): Promise<string> {
  if (generate) return generatePassword()
  if (passwordStdin) return (await readAll(process.stdin)).replace(/\r?\n$/, '')
  if (process.stdin.isTTY) return askNewSecret('Password: ')
  throw new OperatorError(
    'There is no terminal to ask for a password: use --password-stdin or --generate.',
  )
}

const told = (line: string, { password }: { password?: string }): string =>
  password === undefined ? line : `${line}\npassword  ${password}`
