import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join, normalize, relative } from 'node:path'
import test from 'ava'
import { apart, biomeImports, levels } from './support/docs/import-levels.ts'

/** Upward imports that are not cut yet. */
const pending: readonly string[] = []

const forbidden =
  /^(utils?|helpers?|common|shared|misc|base|index)$|(^|[-.])(manager|util|helper)s?$/

const files = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true }))
    .filter((file) => /\.c?tsx?$/.test(file))
    .map((file) => join(folder, file))

function folderOf(file: string): string {
  const [first = '', ...rest] = relative('src', file).split('/')
  const name = rest.length > 0 ? first : basename(first).replace(/\.c?tsx?$/, '')
  return name
}

const level = (folder: string): number => levels.findIndex((names) => names.includes(folder))

/** Static, for side effects, dynamic, or of CommonJS. */
const imports = (source: string): string[] =>
  [...source.matchAll(/(?:\bfrom\s+|\b(?:import|require)\s*\(?\s*)'([^']+)'/g)].map(
    ([, name = '']) => name,
  )

async function edges(folder = 'src') {
  const sources = await files(folder)
  const found = sources.map(async (file) => {
    const local = imports(await readFile(file, 'utf8')).filter((name) => name.startsWith('.'))
    return local.map((name) => ({ file, imported: normalize(join(dirname(file), name)) }))
  })
  return (await Promise.all(found)).flat()
}

test('every folder of src/ has its level', async (t) => {
  const folders = new Set((await files('src')).map(folderOf))
  t.true(folders.size > 15)
  t.deepEqual(
    [...folders].filter((folder) => folder !== apart && level(folder) === -1),
    [],
  )
})

test('an import goes down the levels, never up or sideways', async (t) => {
  const all = await edges()
  t.true(all.length > 200)
  const wrong = all.filter(({ file, imported }) => {
    const [from, to] = [folderOf(file), folderOf(imported)]
    if (from === apart || to === apart) return from !== to
    return from !== to && level(from) >= level(to)
  })
  t.deepEqual(
    wrong.map(({ file, imported }) => `${file} → ${imported}`).sort(),
    [...pending].sort(),
  )
})

type Edges = Awaited<ReturnType<typeof edges>>

/** The first circle of these imports, as a path; undefined when there is none. */
function circleOf(all: Edges): string[] | undefined {
  const below = new Map<string, string[]>()
  for (const { file, imported } of all) below.set(file, [...(below.get(file) ?? []), imported])
  const finished = new Set<string>()
  const circleFrom = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path, file]
    if (finished.has(file)) return undefined
    for (const imported of below.get(file) ?? []) {
      const circle = circleFrom(imported, [...path, file])
      if (circle) return circle
    }
    finished.add(file)
    return undefined
  }
  for (const file of below.keys()) {
    const circle = circleFrom(file, [])
    if (circle) return circle
  }
  return undefined
}

test('benchmarks → share tools/ with the tests, not test/, and have no circle', async (t) => {
  const inBench = await edges('bench')
  t.deepEqual(
    inBench.filter(({ imported }) => imported.startsWith('test/')),
    [],
  )
  t.is(circleOf(inBench), undefined)
})

test('src → no circle of imports, not even of types', async (t) => {
  t.is(circleOf(await edges()), undefined)
})

test('tools/ knows src/ and itself', async (t) => {
  const outside = (await edges('tools')).filter(({ imported }) => !/^(src|tools)\//.test(imported))
  t.deepEqual(outside, [])
})

test('ARCHITECTURE.md lists the levels', async (t) => {
  const page = await readFile('ARCHITECTURE.md', 'utf8')
  const [, list = ''] = /^## The import rule$.*?^```\n(.*?)^```/ms.exec(page) ?? []
  const listed = list.trimEnd().split('\n')
  t.deepEqual(
    listed.map((line) => line.split(/\s+/)),
    levels.map((level) => [...level]),
  )
})

test('Biome has the same import rule', async (t) => {
  t.is(
    await readFile('biome.imports.json', 'utf8'),
    biomeImports(),
    'Write it anew: npx tsx test/support/docs/biome-imports.ts',
  )
})

test('imports stay inside src, where the build is', async (t) => {
  const outside = (await edges()).filter(({ imported }) => !imported.startsWith('src/'))
  t.deepEqual(outside, [])
})

test('folders and files are named with nouns', async (t) => {
  const names = [
    ...(await files('src')),
    ...(await files('test')),
    ...(await files('tools')),
  ].flatMap((file) => file.replace(/(\.test)?\.c?ts$/, '').split('/'))
  t.deepEqual(
    names.filter((name) => forbidden.test(name)),
    [],
  )
})

test('no folder lies deeper than two, and no test is left out', async (t) => {
  for (const file of await files('src')) t.true(file.split('/').length <= 4, file)
  for (const file of (await files('test')).filter((name) => name.endsWith('.test.ts'))) {
    const source = await readFile(file, 'utf8')
    t.notRegex(source, /^\s*test(\.\w+)*\.(skip|only|todo|failing)\b/m, file)
  }
})

test('the package of the verifier alone is that of the server, without its dependencies', async (t) => {
  const read = async (file: string) => JSON.parse(await readFile(file, 'utf8'))
  const server = await read('package.json')
  const verifier = await read('src/verifier/package.json')
  t.deepEqual(verifier.dependencies, { jose: server.dependencies.jose })
  for (const same of ['name', 'version', 'engines', 'license', 'type']) {
    t.deepEqual(verifier[same], server[same], same)
  }
  const command = server.bin['signet-verify'].replace('dist/src/verifier/', './')
  t.deepEqual(verifier.bin, { 'signet-verify': command })
  const { './package.json': _, ...exported } = server.exports
  const moved = JSON.stringify(exported).replaceAll('./dist/src/verifier/', './')
  t.deepEqual(verifier.exports, JSON.parse(moved))
})
