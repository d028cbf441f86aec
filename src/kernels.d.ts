declare module '*.ts?raw' {
  const source: string;
  export default source;
}
declare module '*.wasm.hex?raw' {
  /** Two digits a byte. */
  const hex: string;
  export default hex;
}
