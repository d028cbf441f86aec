/**
 * Long work that lets others come between. It yields where it may be cut, and returns its result; whoever runs it decides
 * whether anything comes between, and whether it goes on at all.
 */
export type Slices<T> = Generator<void, T, void>;

/** Does all of the work at once. */
export function whole<T>(slices: Slices<T>): T {
  for (;;) {
    const { done, value } = slices.next();
    if (done) return value;
  }
}
