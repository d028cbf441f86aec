/** The two prompts of a picture. */
export const sides = ['positive', 'negative'] as const;
export type Side = (typeof sides)[number];
