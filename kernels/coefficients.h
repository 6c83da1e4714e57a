/* Coefficients of the polynomials in posemb.h, for C and OpenCL C: scripts/coefficients.sollya
 * makes this file. Largest absolute errors of the evaluation in float over all 2^32 phases,
 * as tests/prove_phases.c finds them: sine 5.71e-8, cosine 6.85e-8. */
#ifndef POSEMB_COEFFICIENTS_H
#define POSEMB_COEFFICIENTS_H

#define POSEMB_S1 0x1.921fb4p2f
#define POSEMB_S3 (-0x1.4abb7cp5f)
#define POSEMB_S5 0x1.4650e6p6f
#define POSEMB_S7 (-0x1.2bbf4ap6f)

#define POSEMB_C2 (-0x1.3bd3ccp4f)
#define POSEMB_C4 0x1.03c1b6p6f
#define POSEMB_C6 (-0x1.55b684p6f)
#define POSEMB_C8 0x1.d61e28p5f

#endif
