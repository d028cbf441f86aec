/** The languages a prompt can be written in, by the programs that read them. */
export const syntaxes = ['a1111', 'compel', 'comfy'] as const;
export type Syntax = (typeof syntaxes)[number];

/** What the program is called that reads each. */
export const programs: Readonly<Record<Syntax, string>> = { a1111: 'A1111', compel: 'Compel', comfy: 'ComfyUI' };
