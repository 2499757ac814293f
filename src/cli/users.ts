import { randomBytes } from 'node:crypto'
import { text as readAll } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { Rooms } from '../rooms/rooms.ts'
import { type User, UserRefused } from '../users/user.ts'
import { several } from './arguments.ts'
import { answers, example, moment, StartRefused, table } from './output.ts'
import { askNewSecret } from './prompt.ts'
import { exportCommand } from './users-export.ts'
import { importCommand } from './users-import.ts'
import { withRooms } from './world.ts'

interface PasswordOptions {
  passwordStdin?: boolean
  generate?: boolean
}

export function usersCommand(program: Command): void {
  const users = program.command('users').description('people')
  create(users)
  setPassword(users)
  disable(users)
  list(users)
  importCommand(users)
  exportCommand(users)
}

/** 144 random bits, for a password that is shown once. */
export const generatePassword = (): string => randomBytes(18).toString('base64url')

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
      return withRooms(async (rooms) => {
        const user = await rooms.users.create({
          // Whoever has the command line vouches for the address.
          ...(username.includes('@') ? { email: username, emailVerified: true } : { username }),
          password,
          roles: options.role ?? [],
        })
        const generated = options.generate ? { password } : {}
        const text = told(`${username} is created: ${user.id}`, generated)
        return { json: { ...user, ...generated }, text }
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
    return withRooms(async (rooms) => {
      const user = await named(rooms, username)
      const { sessions } = await rooms.credentials.set(user, password)
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
    withRooms(async (rooms) => {
      const user = await named(rooms, username)
      const { sessions } = await rooms.administration.disable(user.id)
      const text = `${username} is disabled; ${sessions} session(s) ended.`
      return { json: { username, sessions }, text }
    }),
  )
}

function list(users: Command): void {
  const command = users.command('list').description('all people')
  example(command, 'signet users list --json')
  answers(command, () =>
    withRooms(async (rooms) => {
      const found = await everybody(rooms)
      const rows = found.map((user) => [
        user.id,
        user.username ?? user.email ?? '-',
        user.roles.join(' ') || '-',
        moment(user.createdAt),
        user.disabledAt ? `disabled ${moment(user.disabledAt)}` : 'active',
      ])
      return { json: found, text: table(['id', 'username', 'roles', 'created', 'state'], rows) }
    }),
  )
}

/** @throws UserRefused when nobody has this username, address or id */
async function named({ users }: Rooms, identifier: string): Promise<User> {
  const user = await users.findAny(identifier)
  if (user) return user
  throw new UserRefused('unknown', `There is no user ${identifier}. See: signet users list`)
}

async function everybody({ users }: Rooms): Promise<User[]> {
  const found: User[] = []
  for (;;) {
    const page = await users.page({}, 1000, found.at(-1)?.id)
    found.push(...page)
    if (page.length < 1000) return found
  }
}

async function choosePassword({ generate, passwordStdin }: PasswordOptions): Promise<string> {
  if (generate) return generatePassword()
  if (passwordStdin) return (await readAll(process.stdin)).replace(/\r?\n$/, '')
  if (process.stdin.isTTY) return askNewSecret('Password: ')
  throw new StartRefused(
    'There is no terminal to ask for a password: use --password-stdin or --generate.',
  )
}

const told = (line: string, { password }: { password?: string }): string =>
  password === undefined ? line : `${line}\npassword  ${password}`
