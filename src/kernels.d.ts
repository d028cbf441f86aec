declare module '*.ts?raw' {
  const source: string;
  export default source;
}
declare module '*.wasm?url&inline' {
  /** A data: URL. */
  const url: string;
  export default url;
}
