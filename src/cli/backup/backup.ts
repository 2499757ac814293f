import type { Command } from 'commander'
import { journalCommand } from './journal.ts'
import { replayCommand } from './replay.ts'
import { verifyCommand } from './verify.ts'

export function backupCommand(program: Command): void {
  const backup = program
    .command('backup')
    .description('verify a restored database, and repeat what was ended after its backup')
  verifyCommand(backup)
  journalCommand(backup)
  replayCommand(backup)
}
