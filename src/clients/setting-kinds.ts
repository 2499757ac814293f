import { z } from 'zod'
import { redirectUriProblem } from '../oauth/redirect-uri.ts'

/**
 * One setting of a client. The column, the JSON API, the command line, the rules and the
 * documentation all follow from it.
 */
export interface Setting {
  /** Its column and its member in the JSON API: the name of RFC 7591 §2, if there is one. */
  readonly name: string
  /** For CLI help, `/openapi.json` and docs/clients.md. */
  readonly about: string
  /** The option of `signet clients create`, and how its value is read. */
  readonly option: {
    readonly flags: string
    readonly kind: 'text' | 'flag' | 'list' | 'choice' | 'seconds' | 'file'
    readonly choices?: readonly string[]
  }
  /** Its schema, with its default; a setting without one is required. */
  readonly rule: z.ZodType
  /** How the JSON API writes it. */
  readonly json: z.ZodType
  /** Set when the client is created, and never changed. */
  readonly isFixed?: boolean
  /** Left out of the answers of the JSON API. */
  readonly isHidden?: boolean
}

/** On or off; off by default. */
export const flag = <Name extends string>(name: Name, flags: string, about: string) => ({
  name,
  about,
  option: { flags, kind: 'flag' as const },
  rule: z.boolean().default(false),
  json: z.boolean(),
})

/** A lifetime; null stands for that of the server. */
export const seconds = <Name extends string>(name: Name, flags: string, about: string) => ({
  name,
  about,
  option: { flags: `${flags} <n>`, kind: 'seconds' as const },
  rule: z.int().min(1).max(315_360_000).nullable().default(null),
  json: z.int().nullable(),
})

export const choice = <Name extends string, Value extends string>(
  name: Name,
  flags: string,
  about: string,
  choices: readonly [Value, ...Value[]],
) => ({
  name,
  about,
  option: { flags, kind: 'choice' as const, choices },
  rule: z.enum(choices).default(choices[0] as z.core.util.NoUndefined<Value>),
  json: z.enum(choices),
})

export const list = <Name extends string, Rule extends z.ZodType, Item extends z.ZodType>(
  name: Name,
  flags: string,
  about: string,
  rule: Rule,
  item: Item,
) => ({ name, about, option: { flags, kind: 'list' as const }, rule, json: z.array(item) })

/** A text that may be absent. */
export const optional = <Name extends string>(
  name: Name,
  flags: string,
  about: string,
  rule: z.ZodType<string>,
) => ({
  name,
  about,
  option: { flags, kind: 'text' as const },
  rule: rule.nullable().default(null),
  json: z.string().nullable(),
})

export const redirectUri = z.string().superRefine((uri, context) => {
  const problem = redirectUriProblem(uri)
  if (problem) context.addIssue({ code: 'custom', message: problem })
})

/** An address that browsers open or this server calls: https, or http on the same machine. */
export const webUri = redirectUri.refine((uri) => /^https?:/.test(uri), 'must be https')
