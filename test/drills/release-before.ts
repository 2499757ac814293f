import { execFile } from 'node:child_process'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../../tools/root.ts'

/** The last commit of the release before this one: it must run on this one's schema (docs/operations.md, "Upgrading"). */
const commit = 'fe6bf42f305ec2a919540a7fcce6dddb61dcd5b9'

/** Builds the release before from the history of this repository, with the packages of this one. */
export async function buildReleaseBefore(folder: string): Promise<string> {
  const tree = join(folder, 'release-before')
  await mkdir(tree)
  await run('git', ['archive', '--output', join(folder, 'release-before.tar'), commit], root)
  await run('tar', ['-xf', join(folder, 'release-before.tar')], tree)
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'))
  await run('npx', ['tsc', '-p', 'tsconfig.build.json'], tree)
  return join(tree, 'dist', 'src', 'main.cjs')
}

/** Not spawnSync: the wires of another drill run in this process. */
async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  await promisify(execFile)(program, args, { cwd }).catch(({ message, stdout }) => {
    throw new Error(`${message}\n${stdout}`)
  })
}
