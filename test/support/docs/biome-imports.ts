import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../../../tools/root.ts'
import { biomeImports } from './import-levels.ts'

/** Writes the import rule into the configuration of Biome. */
await writeFile(join(root, 'biome.imports.json'), biomeImports())
