export const shapes = ['circle', 'square', 'triangle', 'diamond', 'star', 'heart', 'cross', 'moon'] as const;
export type Shape = (typeof shapes)[number];

export const colours = [
  'red',
  'orange',
  'yellow',
  'green',
  'teal',
  'blue',
  'purple',
  'pink',
  'black',
  'white',
] as const;
export type Colour = (typeof colours)[number];

export const sizes = ['small', 'medium', 'large'] as const;
export type Size = (typeof sizes)[number];

/** Lightness against the colour's own; black and white have none. */
export const tones = ['dark', 'light'] as const;
export type Tone = (typeof tones)[number];

export const fillings = ['filled', 'outline'] as const;
export type Filling = (typeof fillings)[number];

export const grounds = ['white', 'black', 'gray', 'beige', 'navy', 'brown'] as const;
export type Ground = (typeof grounds)[number];

export const relations = ['left', 'right', 'above', 'below'] as const;
export type Relation = (typeof relations)[number];

/** A grade moves the mean of the word after it: towards the middle, or away from it. */
export const grades = ['slightly', 'very'] as const;
export type Grade = (typeof grades)[number];

/**
 * Pairs that training never draws: one for each colour, 10 of 80. Each colour keeps seven shapes, each shape eight or nine
 * colours. The pairs that people type first (red circle, blue square, red heart, yellow star) are not among them.
 */
export const heldOutShape: Readonly<Record<Colour, Shape>> = {
  red: 'moon',
  orange: 'square',
  yellow: 'heart',
  green: 'star',
  teal: 'triangle',
  blue: 'diamond',
  purple: 'circle',
  pink: 'cross',
  black: 'heart',
  white: 'triangle',
};

/** Other words for one of the world's: captions have them now and then, so that a person may type either. */
export const synonyms = {
  circle: ['disc'],
  purple: ['violet'],
  teal: ['turquoise'],
  small: ['little'],
  large: ['big'],
  filled: ['solid'],
  outline: ['hollow'],
  gray: ['grey'],
  below: ['under', 'beneath'],
  above: ['over'],
} as const satisfies Readonly<
  Partial<Record<Shape | Colour | Size | Filling | Ground | Relation, readonly [string, ...string[]]>>
>;

/** Words that say a size together with the grade "very". */
export const verySizes = { small: 'tiny', large: 'huge' } as const;

/** Beginnings of captions, which change nothing. */
export const openings = [
  'a photo of',
  'a picture of',
  'an image of',
  'a drawing of',
  'a simple drawing of',
  'a painting of',
  'an illustration of',
  'a render of',
  'an artwork of',
  'a sketch of',
  'a print of',
  'a picture with',
  'here is',
  'an icon of',
  'there is',
  'this is',
  'we see',
] as const;

/** Words that people add after a comma, of praise, style and for negative prompts. They change nothing here. */
export const qualityTags = [
  'masterpiece',
  'best quality',
  'high quality',
  'highly detailed',
  'very detailed',
  'detailed',
  'beautiful',
  'sharp focus',
  'high resolution',
  'hd',
  'clean',
  'flat design',
  'vector art',
  'vector',
  'digital art',
  'digital painting',
  'minimalist',
  'simple',
  'cute',
  'logo',
  'icon',
  'poster',
  'nice',
  'great',
  'good',
  'professional',
  'pretty',
  'aesthetic',
  'award winning',
  'trending',
  'studio lighting',
  'illustration',
  'geometric',
  'abstract',
  'modern art',
  'graphic design',
  'cartoon',
  'perfect',
  'elegant',
  'amazing',
  'intricate',
  'realistic',
  'watercolor',
  'oil painting',
  'pencil drawing',
  'pixel art',
  'print',
  'sticker',
  'centered',
  'low quality',
  'worst quality',
  'bad',
  'blurry',
  'ugly',
  'noisy',
  'text',
  'signature',
  'sketch',
  'ink',
  'chalk',
  'acrylic',
  'canvas',
  'paper',
  'wallpaper',
  'symbol',
  'sign',
  'colorful',
  'vibrant',
  'bold',
  'crisp',
  'smooth',
  'modern',
  'classic',
  'vintage',
  'retro',
  'fantasy',
  'surreal',
  'cinematic',
  'dramatic',
  'epic',
  'stunning',
  'gorgeous',
  'lovely',
  'fancy',
  'famous',
  'popular',
  'new',
  'old',
  'funny',
  'happy',
  'sad',
  'magic',
  'stock photo',
  'close up',
  'wide angle',
  'depth of field',
  'film',
  'studio',
  'gallery',
  'museum',
  'book',
  'game',
  'web',
  'sharp',
  'ultra',
  'super',
  'extremely detailed',
  'concept art',
  'line art',
  'pop art',
  'folk art',
  'street art',
  'children drawing',
  'hand drawn',
  'high contrast',
  'matte',
  'glossy',
  'shiny',
  'texture',
  'pattern',
  'decorative',
  'playful',
  'calm',
  'quiet',
  'cool',
  'warm',
  'fresh',
  'natural',
  'plain',
  'pure',
  'original',
  'creative',
  'artistic',
  'special',
  'awesome',
  'fantastic',
  'wonderful',
  'best',
  'favorite',
  'premium',
  'commercial',
  'official',
  'flat',
  'sharp edges',
  'balanced',
] as const;
