/* provisional */
#ifndef POSEMB_COEFFICIENTS_H
#define POSEMB_COEFFICIENTS_H
#define POSEMB_S1 0x1.921fb6p2f
#define POSEMB_S3 -0x1.4abbeep5f
#define POSEMB_S5 0x1.466be6p6f
#define POSEMB_S7 -0x1.2f7c3ep6f
#define POSEMB_C2 -0x1.3bd3ccp4f
#define POSEMB_C4 0x1.03c1b6p6f
#define POSEMB_C6 -0x1.55b684p6f
#define POSEMB_C8 0x1.d61e28p5f
#endif
