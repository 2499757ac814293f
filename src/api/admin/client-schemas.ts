import { z } from 'zod'
import type { Client } from '../../clients/client.ts'
import { type SettingField, type Settings, settingEntries } from '../../clients/client-settings.ts'
import type { ListedClient } from '../../clients/clients.ts'
import type { NewClient } from '../../clients/new-client.ts'

type Name<Field extends SettingField> = Settings[Field]['name']
type Fixed = {
  [F in SettingField]: Settings[F] extends { isFixed: true } ? F : never
}[SettingField]
type Hidden = {
  [F in SettingField]: Settings[F] extends { isHidden: true } ? F : never
}[SettingField]
type Shape<Field extends SettingField> = { [F in Field as Name<F>]: Settings[F]['json'] }

const shapeOf = <Field extends SettingField>(isIn: (field: Field) => boolean): Shape<Field> =>
  Object.fromEntries(
    settingEntries
      .filter(([field]) => isIn(field as Field))
      .map(([, { name, json, about }]) => [name, json.meta({ description: about })]),
  ) as Shape<Field>

const declared = Object.fromEntries(settingEntries)
const all = shapeOf<SettingField>(() => true)
const shown = shapeOf<Exclude<SettingField, Hidden>>((field) => !declared[field]?.isHidden)
const changeable = shapeOf<Exclude<SettingField, Fixed>>((field) => !declared[field]?.isFixed)

/** A client as administrators see it. */
export const client = z
  .object({
    client_id: z.string(),
    ...shown,
    created_at: z.iso.datetime(),
    disabled_at: z.iso.datetime().nullable(),
    ending_sessions: z.boolean().meta({
      description:
        'Disabled, and rows of its sessions are still being ended; none can be refreshed',
    }),
  })
  .meta({ id: 'Client' })

export const newClient = z.strictObject({
  client_id: z.string(),
  ...z.strictObject(all).partial().shape,
  grant_types: all.grant_types,
  audiences: all.audiences,
})

export const clientChanges = z
  .strictObject({ ...changeable, disabled: z.boolean(), rotate_secret: z.literal(true) })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'change something')

export const clientWithSecret = client.extend({
  client_secret: z.string().optional().meta({ description: 'Shown this once' }),
})

export const clientJson = (one: Client & Partial<ListedClient>): z.input<typeof client> => {
  const settings = settingEntries
    .filter(([, { isHidden }]) => !isHidden)
    .map(([field, { name }]) => [name, one[field]])
  return {
    ...Object.fromEntries(settings),
    client_id: one.id,
    created_at: one.createdAt.toISOString(),
    disabled_at: one.disabledAt?.toISOString() ?? null,
    ending_sessions: one.endingSessions ?? false,
  }
}

/** The settings that a body names; an absent one stays as it is. */
export function settingsIn(
  body: Partial<z.output<typeof newClient> | z.output<typeof clientChanges>>,
): Partial<NewClient> {
  const given = body as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    settingEntries.flatMap(([field, { name }]) =>
      given[name] === undefined ? [] : [[field, given[name]]],
    ),
  )
}
