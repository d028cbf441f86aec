/**
 * One sentence for each control: what it does, and when a person would change it. A key is the control's name as a person
 * hears it, after its group's where it has one; `*` stands for any text. With “Name = Choice” it explains what is chosen.
 */
type Explanations = Readonly<Record<string, string>>;

/** Controls that stay in sight of every view, and those that several views share. */
const everywhere: Explanations = {
  'Skip to the prompts': 'Moves the keyboard past the header, to the first prompt.',
  Examples:
    'Puzzles about prompts: each fills the prompts, which you can take back, and opens the view that answers it.',
  'What is this?': 'Lists what every control on show does, and the words of this page, in plain sentences.',
  Theme: 'Light or dark colours, or those of your system.',
  '* ms, with padding * ms': 'How long the last change took to encode, and how little of it had to be computed anew.',
  '* ms': 'How long the last change took to encode, and how little of it had to be computed anew.',

  Model:
    'The numbers of the text encoder in use: those of a small model of shapes, made-up ones, or a checkpoint of Stable Diffusion that you open.',
  'Open files…':
    'Opens checkpoints, LoRAs, embeddings, pictures with their prompts and saved prompts. They stay on this machine.',
  'Get or delete models…': 'Downloads Stable Diffusion’s text encoder, and lists the models kept in this browser.',
  'Load these weights': 'Loads the model that is chosen on the left.',
  'Load again': 'Loads the model anew after its memory was lost.',
  'Go on with the CPU': 'Runs the encoder on the processor, which is slower and always there.',
  'Use the CPU': 'Runs the encoder on the processor, which is slower and always there.',
  Engine: 'The part of your machine that runs the encoder. The numbers are the same but for rounding.',
  'Engine = Automatic': 'Automatic takes the graphics card where the browser has one, else the processor.',
  'Engine = WebGPU': 'WebGPU is the graphics card.',
  'Engine = CPU': 'CPU is the processor.',
  'Threads, at most': 'How many cores of the processor the encoder may use. Fewer leave more for other programs.',
  'What can be opened': 'Lists the kinds of files that this page reads.',
  'Download SD 1.5 text encoder*':
    'Fetches the real text encoder of Stable Diffusion 1.5 once, and keeps it in this browser.',
  'Download *: *': 'Fetches this file once, checks it, keeps it in this browser and uses it.',
  'Use *': 'Takes this stored model into use.',
  'Delete *': 'Removes it from this browser, after a question.',
  'Yes, delete': 'Removes it for good; it can be downloaded again.',
  'Go on with *': 'Fetches the part of the file that is still missing.',
  'Keep in this browser*': 'Stores the opened file here, so that it need not be opened again.',
  'Keep*: *': 'Stores the opened file here, so that it need not be opened again.',
  'Another address': 'The web address of a model file, if you want another than those above.',
  Download: 'Fetches the file at this address.',
  'Remove LoRA *': 'Forgets the LoRA, a small file that changes the model; prompts that name it go without.',
  'Remove *': 'Forgets the textual inversion, a new word made of stored numbers; prompts that name it read it as text.',

  Prompt: 'What the picture should show. Type here: everything below follows.',
  'Negative prompt': 'What the picture should be led away from. It is encoded in the same way.',
  'fold the *': 'Makes the field small again.',
  'unfold the *': 'Makes the field as high as its text.',
  'Read as':
    'The program whose way of writing weights you use: the same brackets mean other things in another program.',
  'Options: *':
    'Shows and hides everything in which the programs differ: how weights act, which mask, which tokenizer, and more.',
  Reset: 'Puts all options back to those of the chosen program.',
  'Show below: Positive': 'The views below show the prompt.',
  'Show below: Negative': 'The views below show the negative prompt.',
  History: 'Earlier prompts, kept in this browser alone, to bring one back.',
  'Convert…': 'Rewrites both prompts for another program, and says whether tokens and weights stay the same.',
  Keys: 'Lists the keys of the prompt fields, such as those that change a weight.',
  'Copy link': 'Copies an address that opens this page with these prompts, options and this view.',
  'Copy it as readable text': 'The same link, with the prompt in it as people can read it.',
  'Link to copy': 'The link, to be copied by hand.',
  'Weight step: *': 'How much a weight changes when you press the key for it once.',
  'Convert to: *': 'The program to rewrite the prompts for.',
  'Use this': 'Puts the rewritten prompts in place of yours; you can take it back.',
  'Clear history': 'Forgets all earlier prompts.',
  'Earlier prompts: *': 'Puts this earlier prompt into the fields; you can take it back.',
  'Read it as *': 'Switches to the program that this prompt seems to be written for.',
  'Chunk shown: *':
    'Stable Diffusion’s encoder reads 77 tokens at a time, a chunk: choose the one that the views show. 9/75 means 9 words’ tokens of 75.',
  'Show chunk*': 'Shows the tokens of these parts of a very long prompt.',
  'Next seed': 'Has {a|b} chosen anew, by the next number.',
  'Seed *': 'Lets the seed choose among the texts in {a|b}.',
  'Variant *': 'Takes this text of {a|b}, whatever the seed says.',
  'Seed of {a|b}': 'The number that decides what {a|b} becomes; the same number always chooses the same.',
  Step: 'The step of the sampler whose text is shown: in [a:b:0.5] the text changes on the way.',
  'Steps *': 'Shows the text of these steps.',
  'Step *': 'Shows the text of this step.',
  'All as: *': 'Sets all options at once, as this program or the lecture has them.',

  Weighting: 'The formula that makes numbers of your weights. Programs differ most in this.',
  Normalisation: 'Whether weights are evened out before they act, as an extension of ComfyUI can.',
  Words: 'Whether each word’s numbers may know of the words before it, as in every program, or stand alone.',
  Mask: 'Which tokens may see which. In Stable Diffusion 1.5 each sees itself and those before it; the rest is for study.',
  Tokenizer: 'The library that cuts your text into tokens. It matters for unusual quotes, symbols and letters.',
  'Clip skip': 'Takes the numbers from an earlier layer. Some anime models want 2; everything else 1.',
  Brackets: 'Whether brackets give weights or are letters like others.',
  'Square brackets': 'How much lighter [x] is: by a factor of 1.1, or of the lecture’s 0.9.',
  Schedules: 'How the number in [a:b:0.5] is read. Change it for prompts of 2023 and before.',
  Steps: 'In how many steps a picture is made. Schedules such as [a:b:0.5] count in them.',
  'Comma backtracking': 'A long prompt is rather cut at a comma, if one is at most this many tokens back.',
  'Long prompts': 'Where Compel cuts a prompt that is too long for one chunk; by default the rest is lost.',
  'EOS of chunks': 'Which row stands at the end mark (EOS) of the chunks of a long prompt.',
  'ComfyUI’s page: comments and {a|b}': 'Whether ComfyUI’s page has worked on the text before, as when you type there.',
  Tokenised: 'Whether words are cut into tokens one by one or together. Change it for pictures of 2024 and before.',

  Layer: 'Which of the encoder’s layers to look at: each goes on from what the one before it gave.',
  Head: 'Each layer looks at the prompt several times over, in heads: choose which.',
  Chunk: 'Which part of a long prompt to look at.',
  'Save PNG*': 'Saves the picture with its labels, for a slide or a paper.',
  'Save SVG*': 'Saves the drawing as lines, which stay sharp at any size.',
  'Save CSV': 'Saves the numbers of these curves for a spreadsheet.',
  '* PAD rows': 'Unfolds the rows of the padding, which fills a chunk up after your words.',
  'Without PAD': 'Folds the rows of the padding away.',
  'Why: *': 'Shows the formula with this prompt’s own numbers in it.',
  Why: 'Shows the formula with this prompt’s own numbers in it.',
  'In *': 'Shows the code that computes this.',
};

const views: Explanations = {
  'Views: Answer': 'Begin here: what your prompt does, in sentences.',
  'Views: Picture': 'Draws the prompt with a small model of coloured shapes.',
  'Views: Tokens': 'The words and pieces of words that the encoder reads, with their numbers.',
  'Views: Weights': 'How far each weight moves the numbers of its word.',
  'Views: Attention': 'Which words look at which inside the encoder.',
  'Views: Masks': 'Which words may not look at which.',
  'Views: Embeddings': 'The numbers themselves, layer by layer, before and after weights.',
  'Views: Anatomy': 'The encoder as a diagram, with the equation and the sum behind each number.',
  'Views: Vocabulary': 'All tokens there are, and how a word is put together from letters.',
  'Views: Methods': 'All ways of applying weights, side by side on your prompt.',
  'Views: Programs': 'Your prompt in A1111, Compel and ComfyUI, and where they disagree.',
  'Views: Sweep': 'One weight from −1 to 3, by every method, as curves.',
  'Views: Mask lab': 'What changes if the encoder hides other tokens, or one of your choice.',
  'Views: Analyses': 'Questions about the prompt answered: what leaks, what each word does, what padding carries.',
  'Views: ψ lab': 'Your own formula for weights: ψ (“psi”) is the lecture’s sign for it.',
  'Views: Objective': 'How CLIP learns: a toy that trains while you watch.',
  'Views: Lecture': 'The lecture as a path of sixteen short lessons, each with this prompt’s numbers.',
  'Views: Checkpoint': 'Looks into a model file for damage and differences.',
  'Views: Speed': 'How long each step of the encoder takes on this machine.',
  'Views: Export': 'Saves the weighted numbers for diffusers, NumPy or a spreadsheet, or compares such a file.',
};

/** Buttons beside a message about the prompt. */
const messages: Explanations = {
  Show: 'Marks the place in the prompt.',
  '*': 'Makes this change in the prompt; undo takes it back.',
};

const attention: Explanations = {
  'Drawn as: Matrix': 'A table of colours: a row for each token that looks, a column for each that is looked at.',
  'Drawn as: Lines': 'Lines from each token that looks to those that it looks at.',
  'Hide BOS': 'Leaves out the mark at the beginning, which takes most of the attention, so that words stand out.',
  'Hide PAD': 'Leaves out the padding after your words.',
  'Mean over heads': 'Shows the average of all heads of the layer instead of one.',
  'Colour scale': 'How shares become colours. The uneven scales make small shares visible.',
  'Colour scale = Linear': 'Linear: twice the share, twice the colour.',
  'Colour scale = Square root': 'Square root brings out small shares.',
  'Colour scale = Logarithmic': 'Logarithmic brings out the smallest shares.',
};

const embeddings: Explanations = {
  Stage: 'Where in the encoder to look: before the first layer, after any layer, or at what weights act on, the last.',
};

const tokens: Explanations = {
  Expand: 'Lists each row of padding by itself.',
  'Collapse PAD': 'Folds the rows of the padding into one.',
};

const answer: Explanations = {
  'Copy as text': 'Copies all these sentences, say for a bug report or a forum.',
};

const weights: Explanations = {
  'Totals of all methods': 'How far each way of applying weights moves this prompt, in one table.',
  'Sweep a weight': 'Tries one weight from −1 to 3 by every method, as curves.',
};

const anatomy: Explanations = {
  'Equation *': 'Shows the stage that this equation of the lecture is of.',
  'Matrix: *': 'Choose which of the stage’s results to see.',
  'Rows: after': 'The rows as this stage leaves them.',
  'Rows: before *': 'The rows as they come into this stage.',
  'PAD rows': 'Shows the rows of the padding, too.',
  Token: 'The token whose row holds the number that is explained.',
  Query: 'The token that looks, or the row of the number that is explained.',
  Key: 'The token that is looked at, as its place in the chunk.',
  Row: 'The row, that is the token, of the number that is explained.',
  Column: 'Which of the row’s numbers is explained.',
  Dimension: 'Which of the row’s numbers is explained.',
  'Norm of each row': 'Lists how long each row of numbers is.',
  File: 'Which of the files that compute this stage to read.',
  '+, *': 'A sum: what the part before found is added to what came in.',
  Embeddings: 'Looks up the numbers of each token and adds those of its place.',
  'LayerNorm *': 'Brings each row to one scale, so that no row is louder than another.',
  'Final LayerNorm': 'Brings each row to one scale, after the last layer.',
  'Q K V': 'Makes of each row a question (query), a label (key) and a content (value).',
  Attention: 'Each token compares its query with all keys that it may see, and takes in their values.',
  'Output projection': 'Mixes what the heads found into one row.',
  'fc₁': 'Widens each row to four times its length: the first half of the MLP.',
  QuickGELU: 'Lets large numbers pass and stops negative ones: what makes a network more than one sum.',
  'fc₂': 'Brings each row back to its length: the second half of the MLP.',
};

const vocabulary: Explanations = {
  'Text or ids': 'Finds tokens by their text, or the text of numbers such as 320 1125.',
  Word: 'The word whose making is shown below.',
  '* words: *': 'Which of the words to show.',
  'Step back': 'One joining of letters back.',
  'Step forward': 'One joining of letters on.',
  Merge: 'How many joinings have been done: 0 is single letters, the end is tokens.',
  'bytes*': 'Shows the word as single bytes, before anything is joined.',
  '* + *': 'Shows the word after this joining. The number is its rank: lower ones go first.',
};

const methods: Explanations = {
  'A: *': 'Takes this method as A; the picture below shows A − B.',
  'B: *': 'Takes this method as B; the picture below shows A − B.',
  'What each method does': 'One sentence about each method, and the program that it comes from.',
  'Each token’s: ‖Δ‖': 'The distance that the method moves each row of numbers.',
  'Each token’s: Cosine': 'Whether the row still points the same way: 1 is the same direction.',
  'Each token’s: Length ratio': 'How much longer or shorter the row is than without weights.',
};

const programs: Explanations = {
  'Compare: *': 'Which two programs are compared in the sentences and in the last two columns.',
  'Order: As typed': 'Tokens in the order of the prompt.',
  'Order: Largest difference first': 'The token over which the programs disagree most comes first.',
  'Show * more': 'Lists more tokens.',
};

const sweep: Explanations = {
  'Words in the same brackets share a weight: *': 'Sweeps the weight of these words.',
  Weight: 'The weight to try, from −1 to 3: the line in the curves and the table follow.',
  'Back to *': 'Brings the slider back to the weight in the prompt.',
  'Write * into the prompt': 'Puts this weight into your prompt; you can take it back.',
  'Show *': 'Shows or hides the curve of this method.',
};

const maskLab: Explanations = {
  Clear: 'Lets all tokens be seen again.',
  'Rows and masks: *': 'Hides this token from all others, or shows it again: the last column says which rows change.',
};

const analyses: Explanations = {
  'Analyses: Words, EOS, PAD': 'How much of the prompt’s effect lies in the words, in the end mark and in the padding.',
  'Analyses: What each word does': 'What changes in the other rows if a word is left out, or said first.',
  'Analyses: Leakage': 'What each word has taken from the words before it, such as a colour.',
  'Analyses: Bag of words': 'Whether the encoder tells “red car, blue sky” from “blue car, red sky”.',
  'Analyses: Layers': 'How far the rows travel in each layer, and which few numbers are far larger than all others.',
  'Analyses: Sinks': 'Heads that look almost only at the beginning mark, and so add next to nothing.',
  'Analyses: Compare A and B': 'Two prompts, methods, masks or models: where in the encoder their difference begins.',
  'Analyses: Ablation': 'Switches off one head, or the second half (MLP) of one layer, to see what depends on it.',
  'Analyses: What the U-Net receives':
    'What the image model makes of each token, in keys and values, before and after weights.',
  'Analyses: *': 'Another question about the prompt.',
  'Open a U-Net':
    'Reads the few matrices that look at the prompt out of an image model’s file. It stays on this machine.',
  'Open another U-Net':
    'Reads the few matrices that look at the prompt out of an image model’s file. It stays on this machine.',
  'Close it': 'Forgets this file, and goes back to the U-Net of the model in use, if it has one.',
  'Show: as weighted': 'Shows lengths with the weights of your prompt.',
  'Show: without weights': 'Shows the same lengths as if every token weighed 1.',
  'Show: moved by weights': 'Shows how far weights move each key and value, as a share of its length.',
  'See this head in “Attention”': 'Opens the view of attention with this head on show.',
  'Save the numbers': 'Saves all numbers that were found here, for a spreadsheet or a script.',
  'Save the conditioning of each layer':
    'Saves what a U-Net would read if the encoder ended after each layer, to make the pictures yourself.',
  'Save words, EOS and PAD alone':
    'Saves three conditionings that keep one kind of row each, and have the empty prompt’s rows elsewhere.',
  'Save the conditioning without *': 'Saves what a U-Net would read from the encoder without this part.',
  'Compute it': 'Runs the encoder as often as the question needs; you can type on meanwhile.',
  'Try again': 'Runs the encoder for this question once more.',
  Stop: 'Ends this computation; what was found before stays.',
  'Each word: left out': 'Shows what changes in the other rows if the word is not seen by them.',
  'Each word: said first': 'Shows what changes if the word stands at the beginning of the prompt.',
  'Say * first': 'Moves the word to the beginning of your prompt; you can take it back.',
  'Un-leak the words': 'Replaces each word’s row by the one that it has alone, in what is shown and exported.',
  'Un-leak “*': 'Takes the rows of this word alone from where it is without the others, by a map in the ψ lab.',
  'Keep this as A': 'Remembers what is on show, to compare it with what you change next.',
  'A head that is off: *': 'Whether a head that is switched off gives nothing, or looks at all tokens alike.',
  'Each word with and without the others: *': 'Draws the arcs of this word alone.',
};

const psiLab: Explanations = {
  'Weigh by these maps': 'Uses your formulas below instead of a program’s way of weighting.',
  'Add a map: choose its rows: *': 'Adds this token’s row to those that the new formula is for.',
  Map: 'The kind of formula for the chosen rows.',
  Amount: 'How strong: 1 changes nothing in most formulas.',
  'The other prompt': 'The text whose rows the formula uses.',
  'Add a map: choose its rows: Add “*': 'Writes the formula for the chosen rows into the field below.',
  'Add a map: choose its rows: Remove “*': 'Takes the formula of these rows out of the field below.',
  'Maps: *': 'Your formulas, one a line: the numbers of rows, a colon, and what becomes of them.',
};

const objective: Explanations = {
  Play: 'Trains on, step after step.',
  Pause: 'Stops the training where it is.',
  Step: 'Trains on one batch of pairs.',
  Reset: 'Begins the run anew.',
  'Slow motion': 'So slow that each step can be followed.',
  'Cells: Cosine': 'How alike each caption and each picture are: 1 the same direction, 0 none.',
  'Cells: Logits S': 'The scores: the cosine divided by the temperature τ.',
  'Cells: Softmax by row': 'For each caption, the share that each picture gets.',
  'Cells: Softmax by column': 'For each picture, the share that each caption gets.',
  'Cells: Gradient': 'Which pairs the step pulls together and which it pushes apart.',
  'Cells: *': 'Another quantity of each pair.',
  'Batch: always the same': 'Watches the same pairs all the time, so that progress shows.',
  'Batch: each step’s own': 'Watches the pairs that this step learns from.',
  'Temperature τ: learned': 'The model finds the temperature itself, as CLIP does.',
  'Temperature τ: frozen': 'The temperature stays where it is.',
  'Temperature τ: by hand': 'You set the temperature with the slider.',
  τ: 'The temperature: small makes the softmax choose one, large makes all shares alike.',
  'Learns: both': 'Both encoders learn, as in CLIP.',
  'Learns: text tower': 'Only the encoder of captions learns.',
  'Learns: image tower': 'Only the encoder of pictures learns.',
  'Learning rate': 'How far each step goes: too small is slow, too large never settles.',
  'Start: from scratch': 'Begins with random numbers.',
  'Start: from the shipped model': 'Begins with the trained model of this page.',
  'Loss: Softmax': 'CLIP’s objective: each caption has to find its picture among all of the batch.',
  'Loss: Sigmoid': 'SigLIP’s objective: each pair by itself is right or wrong.',
  'Pairs in a batch (N)': 'How many pairs compete in a step: the more, the harder.',
  Seed: 'The number that the random beginning is made from; the same gives the same run.',
  Captions: 'How the pictures are described: in short, or in any words.',
  'N = 8, 32, 128': 'Trains three times, with small and large batches, to compare the curves.',
  'Sigmoid, then softmax': 'Trains twice, once with each objective, to compare the curves.',
  'Clear earlier runs': 'Takes the curves of earlier runs away.',
  'Your own picture and caption': 'Make a picture, and see which captions fit it.',
  'The same in open_clip': 'A program that computes this loss with a well-known library, to check the page.',
  'Texts against texts, by the model in use': 'How alike the model in use finds texts of your choice.',
  'Object *: arrow keys move it': 'An object of your picture: drag it, or move it by arrow keys.',
  'Pointer: moves': 'Dragging moves an object.',
  'Pointer: paints': 'Dragging paints a line.',
  'Brush: *': 'The colour to paint with.',
  Ground: 'The colour behind the objects.',
  'Add an object': 'Puts one more object on the picture.',
  Shape: 'The shape of the object.',
  Colour: 'The colour of the object.',
  Size: 'How large the object is.',
  Tone: 'Whether the object’s colour is darker or lighter.',
  Filling: 'Whether the object is filled or only an outline.',
  Across: 'Where the object is, from left to right.',
  Down: 'Where the object is, from top to bottom.',
  Remove: 'Takes the object off the picture.',
  'Captions of yours*': 'Texts to rank by how well they fit your picture.',
  'A caption that ranks*': 'A text: the pictures are ordered by how well they fit it.',
  'Save objective.safetensors': 'Saves the batch’s vectors and the loss for the program below.',
  'Save open_clip_loss.py': 'Saves the program.',
  'Open a checkpoint…': 'Opens a CLIP model that compares texts; Stable Diffusion’s own files cannot.',
  'Begin with the prompt again': 'Puts the texts back to those made from your prompt.',
  'Texts, one a line*': 'The texts that are compared with each other.',
};

const picture: Explanations = {
  'Seeds from': 'The number that the noise of the first picture is made from; another gives other pictures.',
  Steps: 'In how many steps the noise is taken away: more are finer and slower.',
  Guidance: 'How strongly pictures are led towards the prompt and away from the negative one.',
  'Sampler: *': 'The way of taking the noise away, step by step.',
  'Methods side by side': 'The same noise, weighed by every method.',
  'A weight from −1 to 3': 'The same noise, with one weight changed.',
  'Where a word looks': 'Lights up where in the picture a word has its effect.',
  'Layer by layer': 'Pictures from earlier layers of the text encoder: clip skip, seen.',
  'Which rows carry the meaning': 'Pictures of the words’ rows, the end’s and the padding’s alone.',
  'From text to picture': 'Every stage from your words to the picture, with this prompt’s numbers.',
  Word: 'The word whose weight is tried.',
  'By every method': 'Tries the weight by all methods, which takes longer.',
  'Method: *': 'The method whose pictures are shown.',
  'Curve: *': 'What is measured in the pictures.',
  'Where a word looks: *': 'Lights up where the picture looks at this word.',
};

const lecture: Explanations = {
  'Lessons: *': 'Opens this lesson.',
  'Lessons before and after: *': 'Opens this lesson.',
  'Stages: *': 'Shows this stage’s numbers.',
  'State after *': 'How many layers the rows have gone through.',
  'Try it: Put it back': 'Takes back what the button beside it did.',
  'Try it: *': 'Does what the lesson speaks of with your prompt; you can put it back.',
  'Words of the lesson: *': 'Lights up what this word means in the picture; press it to go there.',
};

const checkpoint: Explanations = {
  'Examine a file…': 'Looks into a model file, damaged or not; the model in use stays.',
  'Examine *': 'Looks into the model in use.',
  'Compare with…': 'Says layer by layer how far another model file is from this one.',
  'All *': 'Lists them all.',
  '* tensors: *': 'Sorts the table by this column; press again for the other direction.',
};

const speed: Explanations = {
  'Time a whole pass': 'Encodes the whole chunk several times, and times every stage.',
  'Time an edit': 'Encodes only what a change of the last word makes new, and times every stage.',
};

const exported: Explanations = {
  'Compare with a file…': 'Opens numbers that another program saved, and says how far yours are from them.',
  Format: 'The kind of file. For diffusers take safetensors; the help says what each is for.',
  'Download *': 'Saves the numbers of both prompts, weighted, on your disk.',
  'Download check.py': 'Saves a program that computes the same numbers with transformers, to check the page.',
  'Conditioning in the file': 'Which of the file’s prompts to compare with.',
  'All * rows': 'Lists all rows.',
  'The first * rows': 'Lists the first rows alone.',
};

/** By the id of the part of the page that a control is in; what is in none of them is everywhere. */
const byPlace: ReadonlyMap<string, Explanations> = new Map(
  Object.entries({
    'diagnostics-positive': messages,
    'diagnostics-negative': messages,
    answer,
    picture,
    tokens,
    weights,
    attention,
    embeddings,
    anatomy,
    vocabulary,
    methods,
    programs,
    sweep,
    'mask-lab': maskLab,
    analyses,
    'psi-lab': psiLab,
    objective,
    lecture: { ...tokens, ...anatomy, ...objective, ...maskLab, ...lecture },
    checkpoint,
    speed,
    export: exported,
  }),
);

/** Sentences of the whole page, for tests. */
export const allExplanations: readonly Explanations[] = [everywhere, views, ...byPlace.values()];

/** Keys with a `*` as expressions, the longest first: it says more. */
function patternsOf(explanations: Explanations): readonly (readonly [RegExp, string])[] {
  return Object.keys(explanations)
    .filter((key) => key.includes('*'))
    .sort((a, b) => b.length - a.length)
    .map((key) => [
      new RegExp(`^${key.replace(/[.+?^$(){}|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's'),
      explanations[key],
    ]);
}

const patterns = new Map(allExplanations.map((table) => [table, patternsOf(table)] as const));

/** The sentence of the first of these names that a table has; names that it spells out come before those of a pattern. */
function found(table: Explanations, names: readonly string[]): string | undefined {
  const exact = names.find((name) => Object.hasOwn(table, name));
  if (exact !== undefined) return table[exact];
  for (const name of names) {
    const fitting = patterns.get(table)?.find(([pattern]) => pattern.test(name));
    if (fitting) return fitting[1];
  }
  return undefined;
}

export interface NamedControl {
  /** Ids of the parts of the page that it is in. */
  readonly places: readonly string[];
  /** Name of its group: a legend, a menu, what unfolds; empty where it is in none. */
  readonly group: string;
  readonly name: string;
  /** Name of what is chosen in it. */
  readonly choice?: string;
}

/** The sentence about a control; null where there is none. */
export function explanationOf({ places, group, name, choice }: NamedControl): string | null {
  const names = group ? [`${group}: ${name}`, name] : [name];
  for (const table of [...places.map((place) => byPlace.get(place)), views, everywhere]) {
    const sentence = table && found(table, names);
    if (!sentence) continue;
    const more = table[`${name} = ${choice}`];
    return more ? `${sentence} ${more}` : sentence;
  }
  return null;
}
