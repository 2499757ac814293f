/** The account that a page is about: its name, and its address if it has one. */
export function Person({ name, detail }: { readonly name: string; readonly detail?: string }) {
  return (
    <div class="person">
      <span class="avatar" aria-hidden="true">
        {[...name][0]?.toUpperCase()}
      </span>
      <span>
        <bdi>{name}</bdi>
        {detail && (
          <small>
            <bdi>{detail}</bdi>
          </small>
        )}
      </span>
    </div>
  )
}
