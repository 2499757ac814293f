import { readFileSync } from 'node:fs'
import { Command } from 'commander'

/**
 * Adds each command. A command's modules are loaded only when it runs, and the services and the app, which take
 * most of the time, only when everything that they need is open.
 */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  migrate: async () => (await import('./migrate.ts')).migrateCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  clients: async () => (await import('./clients.ts')).clientsCommand,
  users: async () => (await import('./users.ts')).usersCommand,
  audit: async () => (await import('./audit.ts')).auditCommand,
  backup: async () => (await import('./backup/backup.ts')).backupCommand,
  theme: async () => (await import('./theme.ts')).themeCommand,
  explain: async () => (await import('./explain/explain.ts')).explainCommand,
  doctor: async () => (await import('./doctor/doctor.ts')).doctorCommand,
}

/** Creates the `signet` program with the named command, or with all commands. */
export async function createProgram(name = ''): Promise<Command> {
  const program = new Command('signet')
    .description(
      'An OAuth 2 authorization server, configured by environment variables (docs/configuration.md)',
    )
    .version(packageVersion())
    .showHelpAfterError('Use --help for usage.')
  const names = Object.hasOwn(commands, name) ? [name] : Object.keys(commands)
  for (const one of names) (await commands[one]?.())?.(program)
  return program
}

/** Reads package.json, which is above src/ and, in the build, above dist/src/. */
function packageVersion(): string {
  const above = import.meta.url.endsWith('.ts') ? '../../' : '../../../'
  const file = new URL(`${above}package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
