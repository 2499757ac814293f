import type { FaultList } from '../fault.ts'
import { authentication } from './authentication.ts'
import { clients } from './clients.ts'
import { keyring } from './keyring.ts'
import { passwords } from './passwords.ts'
import { revocations } from './revocations.ts'
import { sessions } from './sessions.ts'
import { tokens } from './tokens.ts'
import { verifier } from './verifier.ts'

/** By the folder of `src/` that the faults are in. */
export const faultLists: Readonly<Record<string, FaultList>> = {
  keyring,
  sessions,
  tokens,
  revocations,
  clients,
  authentication,
  passwords,
  verifier,
}
