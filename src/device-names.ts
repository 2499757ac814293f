import Bowser from 'bowser'

/** A device as it describes itself. */
export interface DeviceNames {
  readonly browser: string | undefined
  readonly system: string | undefined
}

/** The names of browser and operating system; undefined if the device says nothing that is known. */
export function deviceNames(userAgent: string | null): DeviceNames | undefined {
  if (!userAgent) return undefined
  const { browser, os } = Bowser.parse(userAgent)
  const names = { browser: browser.name || undefined, system: os.name || undefined }
  return names.browser || names.system ? names : undefined
}

/** Describes a device in words that a person knows. */
export function describeDevice(userAgent: string | null): string | null {
  if (!userAgent) return null
  const names = deviceNames(userAgent)
  if (!names) return userAgent.slice(0, 60)
  return [names.browser, names.system].filter((name) => name !== undefined).join(' on ')
}
