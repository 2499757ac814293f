import { rm } from 'node:fs/promises'
import test from 'ava'
import { eventually } from '../../../tools/eventually.ts'
import { themeFolder } from '../../support/server/theme-folder.ts'
import { startWorkers } from '../../support/server/workers.ts'

test('the theme is gone when a worker is replaced → it signs people in with the built-in look', async (t) => {
  const folder = await themeFolder(t, { 'theme.css': ':root { --accent: #003366 }' })
  const server = await startWorkers(t, { THEME_DIR: folder })
  t.regex((await server.browser.request('/sign-in')).text, /theme\.css\?v=/)
  await rm(folder, { recursive: true })
  const before = server.pids()
  for (const pid of before) process.kill(pid, 'SIGKILL')
  await eventually(() => server.pids().length === before.length * 2, 'both are replaced', 60)
  const { status, text } = await server.browser.request('/sign-in')
  t.is(status, 200)
  t.notRegex(text, /theme\.css/)
  const errors = server.logged().filter(({ msg }) => /the theme cannot be read/.test(msg))
  t.is(errors.length, 2)
  t.regex(errors[0].err.message, /there is no such folder/)
})
