declare module '*.wgsl?raw' {
  const source: string;
  export default source;
}

declare module '*?worker&url' {
  const url: string;
  export default url;
}

declare module '*?url' {
  const url: string;
  export default url;
}

declare module '*.txt?raw' {
  const text: string;
  export default text;
}
