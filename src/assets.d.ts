declare module '*.wgsl?raw' {
  const source: string;
  export default source;
}

declare module '*?url' {
  const url: string;
  export default url;
}
