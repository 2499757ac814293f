import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { clientsCommand } from './clients.ts'
import { doctorCommand } from './doctor.ts'
import { keysCommand } from './keys.ts'
import { migrateCommand } from './migrate.ts'
import { serveCommand } from './serve.ts'
import { usersCommand } from './users.ts'

/** The `signet` command. */
export function createProgram(): Command {
  const program = new Command('signet')
    .description(
      'An OAuth 2 authorization server. Configured by the environment: docs/configuration.md',
    )
    .version(packageVersion())
    .showHelpAfterError('Add --help to see what it takes.')
  serveCommand(program)
  migrateCommand(program)
  keysCommand(program)
  clientsCommand(program)
  usersCommand(program)
  doctorCommand(program)
  return program
}

/** package.json stands above src/ and, in the build, above dist/src/. */
function packageVersion(): string {
  const above = import.meta.url.endsWith('.ts') ? '../../' : '../../../'
  const file = new URL(`${above}package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
