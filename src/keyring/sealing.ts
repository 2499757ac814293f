import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose'
import { MasterKeyError, type MasterKeys } from './master-keys.ts'

/**
 * Seals a secret for the database: JWE, `dir`, A256GCM (RFC 7516), under the newest master key. The
 * name of the row is in the protected header, so that a sealed text moved to another row opens no more.
 */
export function seal(masterKeys: MasterKeys, name: string, secret: Uint8Array): Promise<string> {
  return new CompactEncrypt(secret)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: masterKeys.newest.id, sub: name })
    .encrypt(masterKeys.derive('sealing'))
}

/** @throws MasterKeyError when the master key is not at hand or the sealed text was changed */
export async function unseal(
  masterKeys: MasterKeys,
  name: string,
  sealed: string,
): Promise<Uint8Array> {
  const { kid, sub } = readHeader(name, sealed)
  const key = masterKeys.derive('sealing', kid)
  try {
    const { plaintext } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    })
    if (sub !== name) throw new Error(`it was sealed as ${sub}`)
    return plaintext
  } catch (cause) {
    throw changed(name, cause)
  }
}

function readHeader(name: string, sealed: string): { kid: string; sub: unknown } {
  try {
    const { kid, sub } = decodeProtectedHeader(sealed)
    if (typeof kid === 'string') return { kid, sub }
  } catch (cause) {
    throw changed(name, cause)
  }
  throw changed(name, new Error('it names no master key'))
}

const changed = (name: string, cause: unknown) =>
  new MasterKeyError(
    `The secret ${name} in the database does not open: it was changed. Restore it from a backup.`,
    { cause },
  )
