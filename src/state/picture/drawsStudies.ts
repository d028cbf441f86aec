import type { Facts } from '../facts.ts';

/** Whether views have pictures beside their numbers: the page has a picture model, and the model in use is the one that it draws from. */
export const drawsStudies = ({ modelRequest }: Facts): boolean => clipscopeDraws && modelRequest?.kind === 'small';
