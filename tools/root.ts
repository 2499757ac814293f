import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const hasLock = (folder: string): boolean => existsSync(join(folder, 'package-lock.json'))

function above(folder: string): string {
  return hasLock(folder) ? folder : above(dirname(folder))
}

/** The root of the repository: tests run from the build below it, tools from their sources. */
export const root = above(dirname(fileURLToPath(import.meta.url)))
