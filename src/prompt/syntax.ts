/** The languages a prompt can be written in, by the programs that read them. */
export const syntaxes = ['a1111', 'compel', 'comfy'] as const;
export type Syntax = (typeof syntaxes)[number];

/** Name of the program that reads each language. */
export const programs: Readonly<Record<Syntax, string>> = { a1111: 'A1111', compel: 'Compel', comfy: 'ComfyUI' };
