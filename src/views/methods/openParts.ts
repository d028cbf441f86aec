/** Which parts of the Methods panel are open. */
export interface OpenParts {
  readonly bench: boolean;
  readonly sweep: boolean;
}
