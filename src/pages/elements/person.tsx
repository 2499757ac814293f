/** The account that a page is about: its name, and its address if it has one. */
export function Person({ name, detail }: { readonly name: string; readonly detail?: string }) {
  return (
    <div class="person">
      <span class="avatar" aria-hidden="true">
        {[...name][0]?.toUpperCase()}
      </span>
      <span>
        <bdi>{breakable(name)}</bdi>
        {detail && (
          <small>
            <bdi>{breakable(detail)}</bdi>
          </small>
        )}
      </span>
    </div>
  )
}

/** On a narrow screen an address continues on the next line after its @. */
export function breakable(name: string) {
  const at = name.indexOf('@') + 1
  return at === 0 ? (
    name
  ) : (
    <>
      {name.slice(0, at)}
      <wbr />
      {name.slice(at)}
    </>
  )
}
