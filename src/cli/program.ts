import { readFileSync } from 'node:fs'
import { Command } from 'commander'

/**
 * What adds each command. Loaded when it is asked for: `serve` has no use for what `users import` needs. And
 * what most of the time goes into, the rooms and the app, is loaded when a command has what they need.
 */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  migrate: async () => (await import('./migrate.ts')).migrateCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  clients: async () => (await import('./clients.ts')).clientsCommand,
  users: async () => (await import('./users.ts')).usersCommand,
  doctor: async () => (await import('./doctor/doctor.ts')).doctorCommand,
}

/** The `signet` command: with the one command that is named, or with all of them. */
export async function createProgram(name = ''): Promise<Command> {
  const program = new Command('signet')
    .description(
      'An OAuth 2 authorization server. Configured by the environment: docs/configuration.md',
    )
    .version(packageVersion())
    .showHelpAfterError('Add --help to see what it takes.')
  const wanted = Object.hasOwn(commands, name) ? [name] : Object.keys(commands)
  for (const one of wanted) (await commands[one]?.())?.(program)
  return program
}

/** package.json stands above src/ and, in the build, above dist/src/. */
function packageVersion(): string {
  const above = import.meta.url.endsWith('.ts') ? '../../' : '../../../'
  const file = new URL(`${above}package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
