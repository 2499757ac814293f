import * as apps from 'kubernetes-models/apps/v1'
import * as autoscaling from 'kubernetes-models/autoscaling/v2'
import * as batch from 'kubernetes-models/batch/v1'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'

/** A manifest as it is written. */
// biome-ignore lint/suspicious/noExplicitAny: a test looks at whatever was written
export type Manifest = any

const kinds: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  v1: core,
  'apps/v1': apps,
  'autoscaling/v2': autoscaling,
  'batch/v1': batch,
  'networking.k8s.io/v1': networking,
  'policy/v1': policy,
}

interface Model {
  validate(): void
}

/** Notes the fields of a value that nobody has asked for, by their paths. */
class Unread {
  readonly paths = new Set<string>()
  readonly #watched = new WeakMap<object, object>()

  watch(value: object, path: readonly string[] = []): object {
    const known = this.#watched.get(value)
    if (known) return known
    for (const key of Object.keys(value)) this.paths.add([...path, key].join('.'))
    const watched = new Proxy(value, {
      get: (target, key) => {
        const read = Reflect.get(target, key)
        if (typeof key !== 'string' || !Object.hasOwn(target, key)) return read
        const inside = [...path, key]
        this.paths.delete(inside.join('.'))
        return typeof read === 'object' && read !== null ? this.watch(read, inside) : read
      },
    })
    this.#watched.set(value, watched)
    return watched
  }
}

/**
 * Validates a manifest against the schema of its kind. The schemas of Kubernetes allow unknown fields, which a
 * cluster drops silently: here a field that the validation never reads is an error.
 * @returns what is wrong
 */
export function problemsOf(manifest: Manifest): string[] {
  const { apiVersion, kind } = manifest
  const Kind = kinds[apiVersion]?.[kind] as { readonly prototype: Model } | undefined
  if (!Kind) return [`${apiVersion} has no ${kind}`]
  const unread = new Unread()
  try {
    // The constructor would copy the manifest, and so read every field.
    Kind.prototype.validate.call(unread.watch(manifest))
  } catch (error) {
    return [(error as Error).message]
  }
  return [...unread.paths].map((path) => `unknown field ${path}`)
}
